"use strict";

/** Chapter 9: nine weights to change, the map that they make of a digit, and one window of it. */
const Kernel = (() => {
  const SIZE = 308; // 11 for each pixel
  const K = 3;
  const SIDE = 28;
  const KNOWN = [
    { name: "left edges", W: [-1, 0, 1, -1, 0, 1, -1, 0, 1] },
    { name: "upper edges", W: [-1, -1, -1, 0, 0, 0, 1, 1, 1] },
    { name: "mean", W: [1, 1, 1, 1, 1, 1, 1, 1, 1] },
    { name: "spots", W: [-1, -1, -1, -1, 8, -1, -1, -1, -1] },
    { name: "nothing", W: [0, 0, 0, 0, 0, 0, 0, 0, 0] },
  ];

  /**
   * @param {ArrayLike<number>} image (28 · 28,), 0 to 1
   * @param {number[]} W (9,)
   * @returns {number[]} (26 · 26,), the weighted sum of every window
   */
  function slide(image, W) {
    const places = SIDE - K + 1;
    return Array.from({ length: places * places }, (_, n) => {
      const [u, v] = [Math.floor(n / places), n % places];
      return W.reduce((sum, w, i) => sum + w * image[(u + Math.floor(i / K)) * SIDE + v + (i % K)], 0);
    });
  }

  Living.define("kernel", (box) => {
    const places = SIDE - K + 1;
    const digit = box.choice("digit", Array.from({ length: 10 }, (_, k) => String(k)));
    const known = box.choice("kernel", KNOWN.map((one) => one.name));
    digit.index = 7;
    let W = KNOWN[0].W.map((w) => w / 3);
    let last = 0;
    let [u, v] = [15, 13]; // the window's corner: row and column
    const to = (/** @type {number} */ n) => Math.min(places - 1, Math.max(0, Math.round(n)));
    const hand = {
      point: (/** @type {number} */ x, /** @type {number} */ y) => ([u, v] = [to(y * SIDE - 1.5), to(x * SIDE - 1.5)]),
      nudge: (/** @type {number} */ dx, /** @type {number} */ dy) => ([u, v] = [to(u + dy), to(v + dx)]),
    };
    const grid = document.createElement("div");
    grid.className = "living-grid";
    grid.setAttribute("role", "group");
    grid.setAttribute("aria-label", "Nine weights of the kernel");
    const inputs = W.map((_, i) => {
      const input = document.createElement("input");
      Object.assign(input, { type: "number", step: 0.1, min: -9, max: 9 });
      input.setAttribute("aria-label", `row ${Math.floor(i / K) + 1}, column ${(i % K) + 1}`);
      input.addEventListener("input", () => {
        const typed = Number(input.value); // "" is 0, nonsense is NaN
        W[i] = Number.isFinite(typed) ? Math.min(9, Math.max(-9, typed)) : 0;
        box.changed();
      });
      return input;
    });
    const show = () => inputs.forEach((input, i) => (input.value = String(Number(W[i].toFixed(2)))));
    grid.append(...inputs);
    box.controls.append(grid);
    show();
    const picture = box.canvas("The digit, with the window", SIZE, hand);
    const map = box.canvas("The feature map: orange positive, blue negative", SIZE, hand);

    box.draw = () => {
      if (known.index !== last) {
        last = known.index;
        const scale = KNOWN[last].name === "mean" ? 9 : 3;
        W = KNOWN[last].W.map((w) => w / scale);
        show();
      }
      const image = Living.data.digits[digit.index].map((byte) => byte / 255);
      const Z = slide(image, W);
      Living.grid(picture.pen(), [0, 0, SIZE], SIDE, (n) => Array(3).fill(255 * image[n]));
      const cell = SIZE / SIDE; // the map is smaller by a cell on each side
      const inner = [cell, cell, places * cell];
      Living.grid(map.pen(), inner, places, (n) => Living.diverging(Z[n]));
      frame(picture, K, Living.color("orange"));
      frame(map, 1, "black", 1);
      const products = W.map((w, i) => w * image[(u + Math.floor(i / K)) * SIDE + v + (i % K)]);
      const sum = products.reduce((a, b) => a + b);
      box.say(
        `Row ${u}, column ${v}: ${products.map(term).join(" + ")} = ${signed(sum, 3)}`,
      );
    };

    /**
     * @param {{ element: HTMLCanvasElement }} canvas
     * @param {number} width in pixels of the digit
     * @param {string} tint
     * @param {number} shift
     */
    function frame({ element }, width, tint, shift = 0) {
      const pen = /** @type {CanvasRenderingContext2D} */ (element.getContext("2d"));
      const cell = SIZE / SIDE;
      pen.strokeStyle = tint;
      pen.lineWidth = 3;
      pen.strokeRect((v + shift) * cell, (u + shift) * cell, width * cell, width * cell);
    }
  });

  /**
   * @param {number} value
   * @param {number} digits
   */
  function signed(value, digits) {
    return value.toFixed(digits).replace("-", "−");
  }

  /** @param {number} value */
  function term(value) {
    return value < 0 ? `(${signed(value, 2)})` : signed(value, 2);
  }
  return { slide };
})();
