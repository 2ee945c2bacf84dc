"use strict";

/** Chapter 0: a point on the hill a² + 3b², its two slopes, and the gradient as an arrow. */
const Hill = (() => {
  const LEVELS = [0.5, 2, 4, 7, 11, 16, 22, 29];
  const REACH = 3; // a and b from -3 to 3
  const SIZE = 420;

  /**
   * @param {number} a
   * @param {number} b
   */
  const height = (a, b) => a ** 2 + 3 * b ** 2;
  /**
   * @param {number} a
   * @param {number} b
   * @returns {Pair} both partial derivatives
   */
  const gradient = (a, b) => [2 * a, 6 * b];

  Living.define("hill", (box) => {
    const x = Living.line([-REACH, REACH], [0, SIZE]);
    const y = Living.line([REACH, -REACH], [0, SIZE]); // up is positive
    const limited = (/** @type {number} */ v) => Math.min(REACH, Math.max(-REACH, v));
    /** @type {Pair[]} */
    let path = [[2, 1]]; // the last is where we stand
    const put = (/** @type {number} */ a, /** @type {number} */ b) => {
      path = [[limited(a), limited(b)]];
    };
    const canvas = box.canvas("Lines of equal height, a point, and its gradient", SIZE, {
      point: (right, down) => put(REACH * (2 * right - 1), REACH * (1 - 2 * down)),
      nudge: (right, down) => put(path[path.length - 1][0] + right / 10, path[path.length - 1][1] - down / 10),
    });
    const lr = box.slider("learning rate", [0.01, 0.4], 0.01, 0.1);
    box.button("Step downhill", () => {
      const [a, b] = path[path.length - 1];
      const [da, db] = gradient(a, b);
      path.push([limited(a - lr.value * da), limited(b - lr.value * db)]);
    });
    box.button("Back to (2, 1)", () => put(2, 1));

    box.draw = () => {
      const pen = canvas.pen();
      pen.strokeStyle = Living.color("faint");
      for (const level of LEVELS) {
        pen.beginPath();
        const [wide, high] = [Math.sqrt(level), Math.sqrt(level / 3)];
        pen.ellipse(x(0), y(0), x(wide) - x(0), y(0) - y(high), 0, 0, 2 * Math.PI);
        pen.stroke();
      }
      pen.fillText("★", x(0) - 7, y(0) + 5);
      pen.fillText("a →", SIZE - 30, y(0) + 5);
      pen.fillText("↑ b", x(0) - 4, 16);
      pen.strokeStyle = Living.color("blue");
      pen.beginPath();
      for (const [a, b] of path) pen.lineTo(x(a), y(b));
      pen.stroke();
      const [a, b] = path[path.length - 1];
      const [da, db] = gradient(a, b);
      Living.arrow(pen, [x(a), y(b)], [x(a + da / 8), y(b + db / 8)], Living.color("orange"));
      Living.arrow(pen, [x(a), y(b)], [x(a - da / 8), y(b - db / 8)], Living.color("blue"));
      pen.fillStyle = Living.color("ink");
      for (const [u, v] of path) pen.fillRect(x(u) - 3, y(v) - 3, 6, 6);
      const steps = path.length > 1 ? ` after ${path.length - 1} steps` : "";
      box.say(
        `a ${a.toFixed(2)}, b ${b.toFixed(2)}${steps}: height ${height(a, b).toFixed(3)}, ` +
          `slope in a ${da.toFixed(2)}, slope in b ${db.toFixed(2)}`,
      );
    };
  });
  return { height, gradient };
})();
