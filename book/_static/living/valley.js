"use strict";

/** Chapter 6: five optimizers race down the valley of ink, with learning rate and momentum by hand. */
const Valley = (() => {
  const SIZE = 420;
  const STEPS = 60;
  const START = /** @type {Pair} */ ([-1, -1]);
  const RULES = /** @type {const} */ (["SGD", "momentum", "Nesterov", "RMSprop", "Adam"]);
  const TINTS = ["faint", "blue", "green", "orange", "pink"];
  const VALLEYS = [
    { name: "the valley of ink", H: Living.data.valley.H, r: Living.data.valley.r },
    { name: "a bowl", H: [[1, 0], [0, 1]], r: Living.data.valley.best },
  ]; // prettier-ignore

  /**
   * @param {number[][]} H (2, 2)
   * @param {number[]} r (2,)
   * @param {Pair} q
   * @returns {Pair} H q - r
   */
  function slope(H, r, [w, b]) {
    return [H[0][0] * w + H[0][1] * b - r[0], H[1][0] * w + H[1][1] * b - r[1]];
  }

  /**
   * @param {number[][]} H
   * @param {number[]} best the minimum
   * @param {Pair} q
   * @returns {number} loss above the minimum
   */
  function height(H, best, [w, b]) {
    const [u, v] = [w - best[0], b - best[1]];
    return (H[0][0] * u * u + 2 * H[0][1] * u * v + H[1][1] * v * v) / 2;
  }

  /**
   * The rules of the chapter, each as `torch.optim` has it.
   *
   * @param {typeof RULES[number]} rule
   * @param {number[][]} H
   * @param {number[]} r
   * @param {number} lr
   * @param {number} mu the momentum; Adam's first beta
   * @param {number} steps
   * @returns {Pair[]} (steps + 1) places
   */
  function descend(rule, H, r, lr, mu, steps = STEPS) {
    const q = /** @type {Pair} */ ([...START]);
    const path = [/** @type {Pair} */ ([...q])];
    const [m, v] = [[0, 0], [0, 0]]; // prettier-ignore
    for (let t = 1; t <= steps; t++) {
      slope(H, r, q).forEach((g, i) => {
        if (rule === "RMSprop") {
          v[i] = 0.99 * v[i] + 0.01 * g * g;
          q[i] -= (lr * g) / (Math.sqrt(v[i]) + 1e-8);
        } else if (rule === "Adam") {
          m[i] = mu * m[i] + (1 - mu) * g;
          v[i] = 0.999 * v[i] + 0.001 * g * g;
          q[i] -= (lr * (m[i] / (1 - mu ** t))) / (Math.sqrt(v[i] / (1 - 0.999 ** t)) + 1e-8);
        } else {
          m[i] = (rule === "SGD" ? 0 : mu) * m[i] + g;
          q[i] -= lr * (rule === "Nesterov" ? g + mu * m[i] : m[i]);
        }
      });
      path.push(/** @type {Pair} */ ([...q]));
    }
    return path;
  }

  Living.define("valley", (box) => {
    const ground = box.choice("over", VALLEYS.map((valley) => valley.name));
    const lr = box.slider("learning rate η", [-3, 0.3], 0.02, -1, (v) => 10 ** v);
    const mu = box.slider("momentum μ", [0, 0.99], 0.01, 0.9);
    let shown = STEPS;
    box.button("Race", () => {
      shown = 0;
      box.run(STEPS, () => shown++);
    });
    const map = box.canvas("Paths of five optimizers from one start to the minimum", SIZE);
    const curve = box.canvas("Height above the minimum against the step", SIZE);

    box.draw = () => {
      const { H, r } = VALLEYS[ground.index];
      const best = Living.data.valley.best;
      const paths = RULES.map((rule) => descend(rule, H, r, lr.value, mu.value));
      drawMap(map.pen(), H, best, paths);
      drawCurve(curve.pen(), paths.map((path) => path.map((q) => height(H, best, q))));
      const ends = paths.map((path) => height(H, best, path[shown]));
      box.say(
        `Height after ${shown} steps: ` +
          RULES.map((rule, i) => `${rule} ${ends[i] < 1e4 ? ends[i].toPrecision(3) : "off the map"}`).join(", "),
      );
    };

    /**
     * @param {CanvasRenderingContext2D} pen
     * @param {number[][]} H
     * @param {number[]} best
     * @param {Pair[][]} paths
     */
    function drawMap(pen, H, best, paths) {
      const x = Living.line([-1.7, 3.5], [0, SIZE]);
      const y = Living.line([1.5, -3.7], [0, SIZE]);
      const [a, c, d] = [H[0][0], H[0][1], H[1][1]];
      const spread = Math.hypot((a - d) / 2, c);
      const angle = Math.atan2(c, (a - d) / 2) / 2; // of the steep axis
      pen.strokeStyle = Living.color("faint");
      for (let level = 4; level > 1e-3; level /= 2) {
        const [steep, flat] = [1, -1].map((sign) => Math.sqrt((2 * level) / ((a + d) / 2 + sign * spread)));
        const unit = SIZE / 5.2;
        pen.lineWidth = 1;
        pen.beginPath();
        pen.ellipse(x(best[0]), y(best[1]), steep * unit, flat * unit, -angle, 0, 2 * Math.PI);
        pen.stroke();
      }
      pen.fillText("★", x(best[0]) - 7, y(best[1]) + 5);
      paths.forEach((path, i) => {
        pen.lineWidth = 2;
        pen.strokeStyle = pen.fillStyle = Living.color(TINTS[i] === "faint" ? "ink" : TINTS[i]);
        pen.beginPath();
        const near = path.slice(0, shown + 1).filter((q) => Math.hypot(...q) < 1e3);
        for (const [w, b] of near) pen.lineTo(x(w), y(b));
        pen.stroke();
        for (const [w, b] of near) pen.fillRect(x(w) - 2, y(b) - 2, 4, 4);
      });
    }

    /**
     * @param {CanvasRenderingContext2D} pen
     * @param {number[][]} heights (5, STEPS + 1)
     */
    function drawCurve(pen, heights) {
      const x = Living.line([0, STEPS], [40, SIZE - 95]);
      const y = Living.line([2, -8], [20, SIZE - 40]);
      for (const power of [2, 0, -2, -4, -6, -8]) {
        pen.fillText(`10${"⁰¹²³⁴⁵⁶⁷⁸"[Math.abs(power)].replace(/^/, power < 0 ? "⁻" : "")}`, 0, y(power) + 5);
      }
      pen.fillText(`${STEPS} steps →`, SIZE - 185, SIZE - 10);
      heights.forEach((row, i) => {
        pen.strokeStyle = pen.fillStyle = Living.color(TINTS[i] === "faint" ? "ink" : TINTS[i]);
        pen.beginPath();
        const log = row.slice(0, shown + 1).map((h) => Math.min(2.3, Math.log10(Math.max(1e-9, h))));
        log.forEach((h, n) => pen.lineTo(x(n), y(Math.max(-8.3, h))));
        pen.stroke();
        pen.fillText(RULES[i], SIZE - 88, 60 + 24 * i);
      });
    }
  });
  return { descend, height };
})();
