"use strict";

/** Chapter 11: cover a part of a digit with paper, and see what the answer hangs on. */
const Cover = (() => {
  const SIDE = 28;
  const SIZE = 336; // 12 for each pixel
  const [TOP, LINE] = [20, 31];

  /** @typedef {{ row: number, column: number, size: number }} Patch its first row and column */

  /**
   * @param {ArrayLike<number>} digit (784,) bytes
   * @param {Patch} patch
   * @returns {Uint8Array} (784,), paper where the patch lies
   */
  function covered(digit, { row, column, size }) {
    return Uint8Array.from(digit, (byte, n) => {
      const [r, c] = [Math.floor(n / SIDE) - row, (n % SIDE) - column];
      return r >= 0 && r < size && c >= 0 && c < size ? 0 : byte;
    });
  }

  /**
   * @param {Uint8Array} image (784,)
   * @param {Weights} weights of the network
   * @returns {number[]} (10,)
   */
  function probabilities(image, { layers, mean, std, temperature }) {
    const outputs = Network.forward(layers, Network.normalize(image, mean, std));
    return Network.softmax(outputs[outputs.length - 1].data, temperature);
  }

  Living.define("cover", (box) => {
    const weights = WeightsFile.read(/** @type {any} */ (window).MNIST_COURSE_WEIGHTS);
    const which = box.choice("digit", Array.from({ length: 10 }, (_, k) => String(k)));
    which.index = 4;
    const wide = box.slider("width of the patch", [0, 16], 1, 7);
    let [row, column] = [4, 4];
    const to = (/** @type {number} */ n) => Math.min(SIDE - 1, Math.max(-wide.value + 1, Math.round(n)));
    const picture = box.canvas("The digit and the patch that covers it", SIZE, {
      point: (x, y) => ([row, column] = [y, x].map((share) => to(share * SIDE - wide.value / 2))),
      nudge: (dx, dy) => ([row, column] = [to(row + dy), to(column + dx)]),
    });
    const bars = box.canvas("Bars: the probability of each digit", SIZE);

    box.draw = () => {
      const digit = Uint8Array.from(Living.data.digits[which.index]);
      const patch = { row, column, size: wide.value };
      const image = covered(digit, patch);
      const [before, now] = [digit, image].map((bytes) => probabilities(bytes, weights));
      let pen = picture.pen();
      Living.grid(pen, [0, 0, SIZE], SIDE, (n) => Array(3).fill(image[n]));
      pen.strokeStyle = Living.color("orange");
      pen.lineWidth = 3;
      const cell = SIZE / SIDE;
      pen.strokeRect(column * cell, row * cell, patch.size * cell, patch.size * cell);

      pen = bars.pen();
      const winner = now.indexOf(Math.max(...now));
      now.forEach((p, k) => {
        const y = TOP + LINE * k;
        pen.fillStyle = Living.color("ink");
        pen.fillText(String(k), 4, y + 17);
        pen.fillText(`${(100 * p).toFixed(1)} %`, 262, y + 17);
        pen.fillStyle = Living.color(k === winner ? "blue" : "faint");
        pen.fillRect(24, y, Math.max(1, 230 * p), 24);
        pen.fillStyle = Living.color("orange");
        pen.fillRect(24 + 230 * before[k] - 1, y - 2, 3, 28); // what it was without the patch
      });
      const sure = (/** @type {number[]} */ probs, /** @type {number} */ k) => `${(100 * probs[k]).toFixed(1)} %`;
      const first = before.indexOf(Math.max(...before));
      box.say(
        `Without the patch a ${first}, ${sure(before, first)}; covered at row ${row}, column ${column} ` +
          `a ${winner}, ${sure(now, winner)}, and the ${first} has ${sure(now, first)}.`,
      );
    };
  });
  return { covered, probabilities };
})();
