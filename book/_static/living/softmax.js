"use strict";

/** Chapter 4: three scores and a temperature become probabilities, surprise and a gradient. */
const SoftmaxFigure = (() => {
  const CLASSES = ["seven", "nine", "four"];
  const SIZE = 420;

  /**
   * @param {number[]} logits (K,)
   * @param {number} temperature
   * @returns {number[]} (K,), with the largest score taken away first
   */
  function softmax(logits, temperature = 1) {
    const scaled = logits.map((z) => z / temperature);
    const largest = Math.max(...scaled);
    const exp = scaled.map((z) => Math.exp(z - largest));
    const sum = exp.reduce((a, b) => a + b);
    return exp.map((e) => e / sum);
  }

  /**
   * @param {number[]} logits (K,)
   * @param {number} y the right class
   * @param {number} temperature
   * @returns {number} the loss, by the natural logarithm
   */
  function loss(logits, y, temperature = 1) {
    const scaled = logits.map((z) => z / temperature);
    const largest = Math.max(...scaled);
    const sum = scaled.reduce((total, z) => total + Math.exp(z - largest), 0);
    return largest + Math.log(sum) - scaled[y];
  }

  /**
   * @param {number[]} logits (K,)
   * @param {number} y
   * @param {number} temperature
   * @returns {number[]} (K,), p - y: the slope of the loss in each scaled score
   */
  function gradient(logits, y, temperature = 1) {
    return softmax(logits, temperature).map((p, k) => p - (k === y ? 1 : 0));
  }

  Living.define("softmax", (box) => {
    const scores = [1, 2, 4].map((z, k) => box.slider(`score of the ${CLASSES[k]}`, [-8, 8], 0.1, z));
    const temperature = box.slider("temperature", [-2, 2], 0.05, 0, (v) => 10 ** (v / 2));
    const truth = box.choice("it is a", CLASSES);
    const canvas = box.canvas("Bars: probability and gradient of each class", SIZE);

    box.draw = () => {
      const pen = canvas.pen();
      const logits = scores.map((slider) => slider.value);
      const [T, y] = [temperature.value, truth.index];
      const probs = softmax(logits, T);
      const slopes = gradient(logits, y, T);
      const long = Living.line([0, 1], [0, 250]);
      pen.fillText("probability", 90, 22);
      pen.fillText("gradient p − y", 90, 222);
      CLASSES.forEach((name, k) => {
        const [top, low] = [36 + 52 * k, 236 + 52 * k];
        pen.fillStyle = Living.color("ink");
        pen.fillText(name, 0, top + 24);
        pen.fillText(name, 0, low + 24);
        pen.fillText(probs[k].toFixed(3), 100 + long(probs[k]), top + 24);
        pen.fillText(slopes[k].toFixed(3).replace("-", "−"), 345, low + 24);
        pen.fillStyle = Living.color(k === y ? "blue" : "pink");
        pen.fillRect(90, top, Math.max(1, long(probs[k])), 36);
        pen.fillStyle = Living.color(slopes[k] < 0 ? "blue" : "orange");
        const end = Living.line([-1, 1], [90, 340])(slopes[k]);
        pen.fillRect(Math.min(215, end), low, Math.max(1, Math.abs(end - 215)), 36);
      });
      pen.fillStyle = Living.color("ink");
      pen.fillRect(214, 230, 2, 150); // zero
      pen.fillText("its score falls →", 225, 404);
      pen.textAlign = "right";
      pen.fillText("← its score rises", 205, 404);
      pen.textAlign = "left";
      const value = loss(logits, y, T);
      box.say(
        `The ${CLASSES[y]} gets ${(100 * probs[y]).toFixed(1)} %: loss ${value.toFixed(3)}, ` +
          `that is ${(value / Math.LN2).toFixed(2)} bits of surprise.`,
      );
    };
  });
  return { softmax, loss, gradient };
})();
