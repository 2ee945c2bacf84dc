"use strict";

/** Chapter 4: softmax regression, trained in the page; the ten templates form out of nothing. */
const Train = (() => {
  const [D, K] = [784, 10];
  const CELL = 84; // one template on the screen
  const SIZE = 4 * CELL;
  const GUESS = Math.log(K); // the loss before the first step

  /**
   * The eight lines of the chapter: one step on a batch, in place.
   *
   * @param {Float64Array} W (K, D)
   * @param {Float64Array} b (K,)
   * @param {{ X: Float32Array, y: Uint8Array }} digits (N, D) from 0 to 1, and (N,)
   * @param {ArrayLike<number>} batch which digits
   * @param {number} lr
   * @returns {number} the mean loss of the batch, before the step
   */
  function step(W, b, { X, y }, batch, lr) {
    const [dW, db] = [new Float64Array(K * D), new Float64Array(K)];
    let total = 0;
    for (const n of Array.from(batch)) {
      const logits = scores(W, b, X, n);
      total += SoftmaxFigure.loss(logits, y[n]);
      SoftmaxFigure.gradient(logits, y[n]).forEach((dlogit, k) => {
        for (let d = 0; d < D; d++) dW[k * D + d] += dlogit * X[n * D + d];
        db[k] += dlogit;
      });
    }
    for (let i = 0; i < K * D; i++) W[i] -= (lr * dW[i]) / batch.length;
    for (let k = 0; k < K; k++) b[k] -= (lr * db[k]) / batch.length;
    return total / batch.length;
  }

  /**
   * @param {Float64Array} W
   * @param {Float64Array} b
   * @param {Float32Array} X
   * @param {number} n
   * @returns {number[]} (K,) of the n-th digit
   */
  function scores(W, b, X, n) {
    const z = Array.from(b);
    for (let k = 0; k < K; k++) {
      for (let d = 0; d < D; d++) z[k] += W[k * D + d] * X[n * D + d];
    }
    return z;
  }

  /**
   * @param {Float64Array} W
   * @param {Float64Array} b
   * @param {{ X: Float32Array, y: Uint8Array }} digits
   * @param {number} from
   * @returns {number} share of the digits from number `from` on that are read right
   */
  function accuracy(W, b, { X, y }, from) {
    let right = 0;
    for (let n = from; n < y.length; n++) {
      const z = scores(W, b, X, n);
      if (z.indexOf(Math.max(...z)) === y[n]) right++;
    }
    return right / (y.length - from);
  }

  Living.define("train", async (box) => {
    const lr = box.slider("learning rate", [-2.3, 0], 0.05, -0.7, (v) => 10 ** v);
    const size = box.choice("batch", ["64", "16", "256", "1"]);
    const digits = await Living.sprite();
    const from = digits.numTrain; // those behind it are test digits
    let [W, b] = [new Float64Array(K * D), new Float64Array(K)];
    /** @type {number[]} */
    let losses = [];
    /** @type {Pair[]} */
    let marks = [[0, accuracy(W, b, digits, from)]]; // step, and accuracy on the test digits
    let [seen, order] = [0, Living.shuffle(from, 0)];
    const oneStep = () => {
      const count = Number(["64", "16", "256", "1"][size.index]);
      if ((seen % from) + count > from) {
        order = Living.shuffle(from, losses.length); // a new pass
        seen += from - (seen % from);
      }
      losses.push(step(W, b, digits, order.slice(seen % from, (seen % from) + count), lr.value));
      seen += count;
      if (losses.length % 20 === 0) marks.push([losses.length, accuracy(W, b, digits, from)]);
    };
    box.button("Train", () => box.run(2000, oneStep, 20));
    box.button("Pause", () => box.stop());
    box.button("One step", oneStep);
    box.button("Forget everything", () => {
      box.stop();
      [W, b, losses, seen] = [new Float64Array(K * D), new Float64Array(K), [], 0];
      marks = marks.slice(0, 1);
    });
    const templates = box.canvas("Ten templates: orange where ink speaks for the digit, blue against", SIZE);
    const curve = box.canvas("Loss of each batch, and accuracy on test digits, against the step", SIZE);

    box.draw = () => {
      drawTemplates(templates.pen());
      drawCurves(curve.pen());
      const right = (100 * marks[marks.length - 1][1]).toFixed(1);
      const recent = losses.slice(-20);
      const loss = recent.length ? recent.reduce((a, c) => a + c) / recent.length : GUESS;
      box.say(
        `${losses.length} steps, ${(seen / from).toFixed(1)} passes over ${from} digits: ` +
          `loss ${loss.toFixed(3)}, ${right} % of ${digits.y.length - from} test digits right ` +
          "(asked every 20 steps)",
      );
    };

    /** @param {CanvasRenderingContext2D} pen */
    function drawTemplates(pen) {
      const largest = W.reduce((most, w) => Math.max(most, Math.abs(w)), 1e-9);
      for (let k = 0; k < K; k++) {
        const [left, top] = [(k % 4) * CELL, Math.floor(k / 4) * (CELL + 24)];
        pen.fillText(String(k), left + 34, top + 15);
        Living.grid(pen, [left, top + 20, CELL - 4], 28, (d) => Living.diverging(W[k * D + d] / largest));
      }
    }

    /** @param {CanvasRenderingContext2D} pen */
    function drawCurves(pen) {
      const x = Living.line([0, Math.max(100, losses.length)], [30, SIZE - 52]);
      const y = Living.line([0, 2.5], [SIZE - 25, 25]);
      pen.fillText("loss, and test accuracy", 30, 15);
      [0, 1, 2].forEach((v) => pen.fillText(String(v), 5, y(v) + 5));
      pen.strokeStyle = Living.color("blue");
      pen.beginPath();
      losses.forEach((loss, n) => pen.lineTo(x(n), y(Math.min(2.6, loss))));
      pen.stroke();
      pen.strokeStyle = Living.color("orange");
      pen.beginPath();
      for (const [n, share] of marks) pen.lineTo(x(n), y(2.5 * share));
      pen.stroke();
      pen.fillStyle = Living.color("orange");
      [0.5, 1].forEach((share) => pen.fillText(`${100 * share} %`, SIZE - 46, y(2.5 * share) + 5));
      pen.fillStyle = Living.color("ink");
      pen.fillText(`${losses.length} steps`, SIZE - 130, SIZE - 5);
    }
  });
  return { step, accuracy };
})();
