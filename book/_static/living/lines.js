"use strict";

/** Chapter 3: two clouds of points to drag, the line between them, and what each point costs. */
const Lines = (() => {
  const SIZE = 420;
  const RANGE = /** @type {Pair} */ ([0, 5]);
  /** @type {Record<string, [(m: number) => number, (m: number) => number]>} loss and slope */
  const LOSSES = {
    hinge: [(m) => Math.max(0, 1 - m), (m) => (m < 1 ? -1 : 0)],
    softmax: [
      (m) => (m > 0 ? Math.log1p(Math.exp(-m)) : Math.log1p(Math.exp(m)) - m),
      (m) => -1 / (1 + Math.exp(m)),
    ],
  };

  /**
   * @param {number[]} w two weights and the bias of the lead: score of the one minus score of the zero
   * @param {number[]} point x, y and label, 0 or 1
   * @returns {number} the lead of the point's own class
   */
  const lead = (w, [x, y, label]) => (label ? 1 : -1) * (w[0] * x + w[1] * y + w[2]);

  /**
   * @param {string} kind of loss
   * @param {number[]} w
   * @param {number[][]} points
   * @returns {number} the mean loss
   */
  function loss(kind, w, points) {
    return points.reduce((sum, p) => sum + LOSSES[kind][0](lead(w, p)), 0) / points.length;
  }

  /**
   * @param {string} kind
   * @param {number[]} w
   * @param {number[][]} points
   * @returns {number[]} its slope in both weights and the bias
   */
  function gradient(kind, w, points) {
    const dw = [0, 0, 0];
    for (const p of points) {
      const slope = (LOSSES[kind][1](lead(w, p)) * (p[2] ? 1 : -1)) / points.length;
      [p[0], p[1], 1].forEach((input, i) => (dw[i] += slope * input));
    }
    return dw;
  }

  Living.define("lines", (box) => {
    const begin = () => Living.data.clouds.map((p) => [...p]);
    let points = begin();
    let w = [0, 0.1, -0.1];
    let [held, steps] = [0, 0];
    const x = Living.line(RANGE, [0, SIZE]);
    const y = Living.line(RANGE, [SIZE, 0]);
    const limited = (/** @type {number} */ v) => Math.min(RANGE[1], Math.max(RANGE[0], v));
    const kinds = Object.keys(LOSSES);
    const kind = box.choice("loss", kinds);
    const step = () => {
      const dw = gradient(kinds[kind.index], w, points);
      w = w.map((value, i) => value - 0.5 * dw[i]);
      steps++;
    };
    box.button("Step", step);
    box.button("Run", () => box.run(200, step));
    box.button("Next point", () => (held = (held + 1) % points.length));
    box.button("Start again", () => {
      box.stop();
      [points, w, steps] = [begin(), [0, 0.1, -0.1], 0];
    });
    const canvas = box.canvas("Zeros and ones as points, and the line between them", SIZE, {
      point: (right, down, fresh) => {
        const [a, b] = [5 * right, 5 * (1 - down)];
        const far = points.map((p) => Math.hypot(p[0] - a, p[1] - b));
        if (fresh) held = far.indexOf(Math.min(...far));
        else [points[held][0], points[held][1]] = [a, b];
      },
      nudge: (dx, dy) => {
        points[held][0] = limited(points[held][0] + dx / 10);
        points[held][1] = limited(points[held][1] - dy / 10);
      },
    });

    box.draw = () => {
      const pen = canvas.pen();
      const name = kinds[kind.index];
      for (const level of [-1, 0, 1]) {
        pen.strokeStyle = Living.color(level ? "faint" : "ink");
        const ends = RANGE.map((a) => (level - w[2] - w[0] * a) / w[1]); // w0 a + w1 b + w2 = level
        pen.beginPath();
        RANGE.forEach((a, i) => pen.lineTo(x(a), y(ends[i])));
        pen.stroke();
      }
      points.forEach((p, n) => {
        const [cost, m] = [LOSSES[name][0](lead(w, p)), lead(w, p)];
        pen.fillStyle = pen.strokeStyle = Living.color(p[2] ? "orange" : "blue");
        pen.beginPath();
        if (p[2]) pen.rect(x(p[0]) - 6, y(p[1]) - 6, 12, 12);
        else pen.arc(x(p[0]), y(p[1]), 6, 0, 2 * Math.PI);
        if (m > 0) pen.fill();
        else pen.stroke(); // on the wrong side: hollow
        pen.beginPath();
        pen.arc(x(p[0]), y(p[1]), Math.min(60, 9 + 20 * cost), 0, 2 * Math.PI);
        pen.strokeStyle = Living.color(n === held ? "ink" : "faint");
        if (cost > 0.005 || n === held) pen.stroke();
      });
      pen.fillStyle = Living.color("ink");
      pen.fillText("ink →", SIZE - 45, SIZE - 6);
      pen.fillText("↑ ink of the middle", 4, 16);
      const right = points.filter((p) => lead(w, p) > 0).length;
      const own = LOSSES[name][0](lead(w, points[held])).toFixed(3);
      box.say(
        `${steps} steps: mean ${name} loss ${loss(name, w, points).toFixed(4)}, ` +
          `${right} of ${points.length} points right; the marked point costs ${own}`,
      );
    };
  });
  return { loss, gradient };
})();
