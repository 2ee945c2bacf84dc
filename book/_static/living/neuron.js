"use strict";

/** Chapter 5: one neuron as a graph; numbers forward, gradients backward, and a nudge to compare. */
const Neuron = (() => {
  const SIZE = 440;
  const NAMES = ["x1", "w1", "x2", "w2", "b"];
  const Y = 1; // what the neuron should say
  const NUDGE = 0.001;
  /** Where each value stands, in shares of the square. @type {Record<string, Pair>} */
  const PLACES = {
    x1: [0.08, 0.1], w1: [0.08, 0.3], x2: [0.08, 0.52], w2: [0.08, 0.72], b: [0.32, 0.88],
    "w1 x1": [0.32, 0.2], "w2 x2": [0.32, 0.62], z: [0.55, 0.42], a: [0.75, 0.42], L: [0.92, 0.42],
  }; // prettier-ignore
  const EDGES = ["x1>w1 x1", "w1>w1 x1", "x2>w2 x2", "w2>w2 x2", "w1 x1>z", "w2 x2>z", "b>z", "z>a", "a>L"];

  /**
   * @param {Record<string, number>} v x1, w1, x2, w2 and b
   * @returns {Record<string, number>} every value of the graph
   */
  function forward(v) {
    const z = v.w1 * v.x1 + v.w2 * v.x2 + v.b;
    const a = 1 / (1 + Math.exp(-z));
    return { ...v, "w1 x1": v.w1 * v.x1, "w2 x2": v.w2 * v.x2, z, a, L: (a - Y) ** 2 / 2 };
  }

  /**
   * @param {Record<string, number>} v as `forward` returns it
   * @returns {Record<string, number>} the slope of L in every value, from right to left
   */
  function backward(v) {
    const da = v.a - Y;
    const dz = da * v.a * (1 - v.a);
    const inputs = { x1: dz * v.w1, w1: dz * v.x1, x2: dz * v.w2, w2: dz * v.x2, b: dz };
    return { ...inputs, "w1 x1": dz, "w2 x2": dz, z: dz, a: da, L: 1 };
  }

  Living.define("neuron", (box) => {
    const start = [2, 0.5, -1, 1.5, 0.5];
    const sliders = NAMES.map((name, i) => box.slider(name, [-3, 3], 0.1, start[i]));
    const nudged = box.choice("nudge", NAMES);
    nudged.index = 1;
    box.button("A step downhill (lr 1)", () => {
      const slopes = backward(forward(values()));
      for (const i of [1, 3, 4]) sliders[i].value = sliders[i].value - slopes[NAMES[i]]; // w1, w2, b
    });
    box.button("Begin again", () => sliders.forEach((slider, i) => (slider.value = start[i])));
    const canvas = box.canvas("The graph of a neuron: values above, gradients below", SIZE);
    const values = () => Object.fromEntries(NAMES.map((name, i) => [name, sliders[i].value]));
    const written = (/** @type {number} */ n, digits = 3) =>
      String(Number(n.toFixed(digits))).replace("-", "−");

    box.draw = () => {
      const pen = canvas.pen();
      const now = forward(values());
      const slopes = backward(now);
      const place = (/** @type {string} */ name) =>
        /** @type {Pair} */ (PLACES[name].map((share) => share * SIZE));
      for (const edge of EDGES) {
        const [from, to] = edge.split(">").map(place);
        pen.lineWidth = 1.5;
        pen.beginPath();
        pen.moveTo(...from);
        pen.lineTo(...to);
        pen.strokeStyle = Living.color("faint");
        pen.stroke();
      }
      pen.textAlign = "center";
      for (const name of Object.keys(PLACES)) {
        const [x, y] = place(name);
        pen.fillStyle = Living.color("paper");
        pen.fillRect(x - 34, y - 30, 68, 62);
        pen.fillStyle = Living.color("ink");
        pen.fillText(name, x, y - 14);
        pen.fillText(written(now[name]), x, y + 5);
        pen.fillStyle = Living.color("orange");
        pen.fillText(written(slopes[name]), x, y + 24);
        pen.strokeStyle = Living.color(name === NAMES[nudged.index] ? "blue" : "faint");
        pen.strokeRect(x - 34, y - 30, 68, 62);
      }
      pen.fillText("orange: gradients, from right to left", SIZE * 0.68, SIZE - 12);
      pen.textAlign = "left";
      const name = NAMES[nudged.index];
      const moved = forward({ ...values(), [name]: now[name] + NUDGE });
      box.say(
        `Loss ${written(now.L, 4)}. Raise ${name} by ${NUDGE}: the loss changes by ` +
          `${written((moved.L - now.L) / NUDGE, 4)} for each unit; the gradient says ${written(slopes[name], 4)}.`,
      );
    };
  });
  return { forward, backward };
})();
