"use strict";

/**
 * MNIST's own preparation: fit_box, center and to_mnist of mnist_course/data/mnist_form.py, number for
 * number. Its makers scaled each digit into a box of 20×20 pixels and placed that by its center
 * of mass in a picture of 28×28.
 */
const Prepare = (() => {
  const BOX = 20;
  const SIZE = 28;
  const FAINTEST = 0.002; // less ink than half a gray level is paper

  /**
   * @param {number} height
   * @param {number} width
   * @returns {Grid}
   */
  function paper(height, width) {
    return { height, width, data: new Float64Array(height * width) };
  }

  /**
   * Crop to the ink and scale the longer side to 20 pixels, keeping the proportions. Each new pixel
   * is the mean of the old ones under it.
   * @param {Grid} ink
   * @returns {Grid}
   * @throws {Error} if there is no ink
   */
  function fitBox(ink) {
    const crop = cropToInk(ink);
    const long = Math.max(crop.height, crop.width);
    const scaled = (/** @type {number} */ side) =>
      Math.max(1, Math.floor((2 * side * BOX + long) / (2 * long)));
    const box = paper(scaled(crop.height), scaled(crop.width));
    const down = overlap(crop.height, box.height);
    const across = overlap(crop.width, box.width);
    // First the rows are averaged, then the columns: the same as both at once, and quicker.
    const rows = paper(box.height, crop.width);
    for (let i = 0; i < box.height; i++) {
      for (const { from, share } of down[i]) {
        for (let x = 0; x < crop.width; x++) {
          rows.data[i * crop.width + x] += share * crop.data[from * crop.width + x];
        }
      }
    }
    for (let i = 0; i < box.height; i++) {
      for (let j = 0; j < box.width; j++) {
        for (const { from, share } of across[j]) {
          box.data[i * box.width + j] += share * rows.data[i * crop.width + from];
        }
      }
    }
    return box;
  }

  /**
   * @param {Grid} ink
   * @returns {Grid} The part from the first to the last row and column with ink.
   */
  function cropToInk(ink) {
    let top = ink.height;
    let left = ink.width;
    let bottom = -1;
    let right = -1;
    for (let row = 0; row < ink.height; row++) {
      for (let column = 0; column < ink.width; column++) {
        if (ink.data[row * ink.width + column] > FAINTEST) {
          top = Math.min(top, row);
          bottom = Math.max(bottom, row);
          left = Math.min(left, column);
          right = Math.max(right, column);
        }
      }
    }
    if (bottom < 0) throw new Error("There is no ink: every pixel is 0.");
    const crop = paper(bottom - top + 1, right - left + 1);
    for (let row = 0; row < crop.height; row++) {
      const start = (top + row) * ink.width + left;
      crop.data.set(ink.data.subarray(start, start + crop.width), row * crop.width);
    }
    return crop;
  }

  /**
   * Which old cells lie under each new cell, and with what share of it.
   * @param {number} numIn
   * @param {number} numOut
   * @returns {{from: number, share: number}[][]}
   */
  function overlap(numIn, numOut) {
    const cells = [];
    for (let cell = 0; cell < numOut; cell++) {
      const start = (cell * numIn) / numOut;
      const end = ((cell + 1) * numIn) / numOut;
      const parts = [];
      for (let from = Math.floor(start); from < numIn && from < end; from++) {
        const covered = Math.min(end, from + 1) - Math.max(start, from);
        if (covered > 0) parts.push({ from, share: (covered * numOut) / numIn });
      }
      cells.push(parts);
    }
    return cells;
  }

  /**
   * Place the box by whole pixels so that its center of mass falls on pixel 14 (of 0..27).
   * @param {Grid} box
   * @returns {Grid} 28×28
   */
  function center(box) {
    let mass = 0;
    let massTimesRow = 0;
    let massTimesColumn = 0;
    for (let row = 0; row < box.height; row++) {
      for (let column = 0; column < box.width; column++) {
        const ink = box.data[row * box.width + column];
        mass += ink;
        massTimesRow += ink * row;
        massTimesColumn += ink * column;
      }
    }
    const top = firstPixel(massTimesRow / mass, box.height);
    const left = firstPixel(massTimesColumn / mass, box.width);
    const picture = paper(SIZE, SIZE);
    for (let row = 0; row < box.height; row++) {
      const line = box.data.subarray(row * box.width, (row + 1) * box.width);
      picture.data.set(line, (top + row) * SIZE + left);
    }
    return picture;
  }

  /**
   * @param {number} middle center of mass, counted in pixels of the box
   * @param {number} length of the box
   * @returns {number} Where its first pixel goes; what would stick out is pushed back in.
   */
  function firstPixel(middle, length) {
    // The 1e-6 keeps rounding errors from deciding a tie.
    const start = SIZE / 2 - Math.floor(middle + 0.5 + 1e-6);
    return Math.min(Math.max(start, 0), SIZE - length);
  }

  /**
   * Ink of any size to an image as MNIST was made.
   * @param {Grid} ink 0 for paper, 1 for full ink
   * @returns {{box: Grid, image: Uint8Array}} The darkest pixel of the image (28 * 28 bytes) is 255.
   */
  function toMnist(ink) {
    const box = fitBox(ink);
    const darkest = box.data.reduce((most, value) => Math.max(most, value), 0);
    box.data = box.data.map((value) => value / darkest);
    const picture = center(box);
    const image = Uint8Array.from(picture.data, (value) => Math.floor(255 * value + 0.5));
    return { box, image };
  }

  return { fitBox, center, toMnist };
})();
