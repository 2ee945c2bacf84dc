"use strict";

/**
 * Numbers made visible: a grid of numbers becomes a small canvas, one number a pixel. The style
 * sheet makes it larger, without smoothing.
 */
const Pictures = (() => {
  // Each runs from dark to light or through white, so that it can be read without its colors.
  const GRAY = ramp([0, 0, 0], [255, 255, 255]); // ink is white, as in MNIST
  const GLOW = ramp([10, 14, 22], [0, 84, 134], [64, 160, 216], [214, 236, 250], [255, 255, 255]);
  const DIVERGING = ramp([0, 114, 178], [255, 255, 255], [213, 94, 0]); // as in the book's figures

  /**
   * @param {...number[]} colors red, green and blue of the stations, from 0 to 1
   * @returns {number[][]} 256 colors in even steps between them
   */
  function ramp(...colors) {
    return Array.from({ length: 256 }, (_, n) => {
      const at = (n / 255) * (colors.length - 1);
      const low = Math.min(Math.floor(at), colors.length - 2);
      return [0, 1, 2].map(
        (c) => colors[low][c] + (at - low) * (colors[low + 1][c] - colors[low][c]),
      );
    });
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} height
   * @param {number} width
   * @param {(n: number) => number} share the n-th number as 0..1, row after row
   * @param {number[][]} colors
   */
  function paint(canvas, height, width, share, colors) {
    if (canvas.height !== height) canvas.height = height;
    if (canvas.width !== width) canvas.width = width;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const picture = context.createImageData(width, height);
    for (let n = 0; n < height * width; n++) {
      const [red, green, blue] = colors[Math.round(255 * Math.min(1, Math.max(0, share(n))))];
      picture.data[4 * n] = red;
      picture.data[4 * n + 1] = green;
      picture.data[4 * n + 2] = blue;
      picture.data[4 * n + 3] = 255; // opaque
    }
    context.putImageData(picture, 0, 0);
  }

  return { paint, GRAY, GLOW, DIVERGING };
})();
