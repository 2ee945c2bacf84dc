"use strict";

/** Chapter 3: a picture of four pixels, three templates, three scores, and the hinge loss. */
const Four = (() => {
  const SIZE = 420;
  const NAMES = ["diagonal", "column", "row"];
  const BIASES = [0, 0.5, -0.5];
  const W = [[1, -1, -1, 1], [1, -1, 1, -1], [1, 1, -1, -1]]; // prettier-ignore
  const PICTURES = [
    { name: "diagonal", x: [1, 0, 0, 1] },
    { name: "column", x: [1, 0, 1, 0] },
    { name: "row", x: [1, 1, 0, 0] },
  ];

  /**
   * @param {number[][]} weights (3, 4)
   * @param {number[]} x (4,)
   * @returns {number[]} (3,)
   */
  function scores(weights, x) {
    return weights.map((row, k) => row.reduce((sum, w, i) => sum + w * x[i], BIASES[k]));
  }

  /**
   * @param {number[]} z (K,)
   * @param {number} y the right class
   * @returns {number} what the other classes' scores cost, with a margin of 1
   */
  function hinge(z, y) {
    return z.reduce((sum, zj, j) => sum + (j === y ? 0 : Math.max(0, zj - z[y] + 1)), 0);
  }

  Living.define("four", (box) => {
    const picture = box.choice("picture", PICTURES.map((one) => one.name));
    const places = ["top left", "top right", "bottom left", "bottom right"];
    const weights = places.map((place, i) => box.slider(`diagonal's ${place}`, [-2, 2], 0.1, W[0][i]));
    const canvas = box.canvas("The picture, three templates, three scores", SIZE);

    box.draw = () => {
      const pen = canvas.pen();
      const { x } = PICTURES[picture.index];
      const all = [weights.map((slider) => slider.value), W[1], W[2]];
      const z = scores(all, x);
      const y = picture.index;
      pen.fillText("picture", 0, 16);
      pen.fillText("templates", 130, 16);
      pen.fillText("scores", 250, 16);
      Living.grid(pen, [0, 26, 100], 2, (n) => Array(3).fill(255 * x[n]));
      pen.strokeRect(0, 26, 100, 100);
      const winner = z.indexOf(Math.max(...z));
      all.forEach((template, k) => {
        const top = 26 + 130 * k;
        Living.grid(pen, [130, top, 100], 2, (n) => Living.diverging(template[n] / 2));
        pen.strokeRect(130, top, 100, 100);
        pen.fillStyle = Living.color(k === y ? "blue" : "pink");
        const zero = 290;
        pen.fillRect(Math.min(zero, zero + 24 * z[k]), top + 40, Math.max(2, Math.abs(24 * z[k])), 24);
        pen.fillStyle = Living.color("ink");
        pen.fillText(`${NAMES[k]}${k === winner ? " ← largest" : ""}`, 250, top + 20);
        pen.fillText(z[k].toFixed(1).replace("-", "−"), 250, top + 90);
      });
      box.say(
        `A ${PICTURES[y].name}: scores ${z.map((s) => s.toFixed(1).replace("-", "−")).join(", ")}; ` +
          `hinge loss ${hinge(z, y).toFixed(2)}`,
      );
    };
  });
  return { scores, hinge };
})();
