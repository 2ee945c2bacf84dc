"use strict";

/** Chapter 1: a byte of the file and its pixel; and what a wrong number in the header does. */
const Bytes = (() => {
  const SIZE = 336;
  const [HEADER, ROWS, COLUMNS] = [16, 28, 28];
  const AROUND = 42; // bytes that are shown, 7 a line

  /**
   * @param {number} offset in the file
   * @param {number} columns as the header has it
   * @returns {Pair} row and column in the first picture
   */
  const place = (offset, columns) => [Math.floor((offset - HEADER) / columns), (offset - HEADER) % columns];

  /**
   * @param {number} row
   * @param {number} column
   * @param {number} columns
   * @returns {number} offset in the file
   */
  const offset = (row, column, columns) => HEADER + columns * row + column;

  /** @param {number} byte */
  const hex = (byte) => byte.toString(16).padStart(2, "0");

  Living.define("bytes", (box) => {
    const { pixels, count } = Living.data.file;
    const last = HEADER + pixels.length - 1;
    let at = offset(7, 14, COLUMNS);
    const columns = box.slider("last byte of the header", [20, 36], 1, COLUMNS);
    const limited = (/** @type {number} */ n) => Math.min(last, Math.max(HEADER, n));
    const first = () => HEADER + Math.max(0, Math.floor((at - HEADER) / 7) - 2) * 7; // of those shown
    box.button("28 again", () => (columns.value = COLUMNS));
    const picture = box.canvas("The picture, one pixel marked", SIZE, {
      point: (x, y) => {
        const side = Math.max(ROWS, columns.value);
        const [row, column] = [Math.floor(y * side), Math.floor(x * side)];
        at = limited(offset(row, Math.min(columns.value - 1, column), columns.value));
      },
      nudge: (dx, dy) => (at = limited(at + dx + dy * columns.value)),
    });
    const dump = box.canvas("Bytes of the file, one marked", SIZE, {
      point: (x, y) => (at = limited(first() + 7 * Math.floor(6.99 * y - 1) + Math.floor(6.99 * x))),
      nudge: (dx, dy) => (at = limited(at + dx + 7 * dy)),
    });

    box.draw = () => {
      const wide = columns.value;
      const side = Math.max(ROWS, wide);
      const cell = SIZE / side;
      const [row, column] = place(at, wide);
      let pen = picture.pen();
      Living.grid(pen, [0, 0, SIZE], side, (n) => {
        const byte = (n % side) < wide ? pixels[Math.floor(n / side) * wide + (n % side)] : undefined;
        return byte === undefined ? [128, 128, 128] : [byte, byte, byte]; // gray: no byte is there
      });
      pen.strokeStyle = Living.color("orange");
      pen.lineWidth = 3;
      pen.strokeRect(column * cell, row * cell, cell, cell);

      pen = dump.pen();
      pen.font = "17px ui-monospace, monospace";
      const [step, line] = [SIZE / 7, SIZE / 7];
      pen.fillText(`00 00 08 03 00 00 ${hex(count >> 8)} ${hex(count & 255)}`, 0, 18);
      pen.fillText(`00 00 00 1c 00 00 00 ${hex(wide)}`, 0, 38);
      pen.fillStyle = Living.color("orange");
      if (wide !== COLUMNS) pen.fillRect(214, 42, 24, 3);
      for (let n = 0; n < AROUND && first() + n <= last; n++) {
        const [x, y] = [(n % 7) * step, (Math.floor(n / 7) + 1) * line];
        const byte = pixels[first() + n - HEADER];
        pen.fillStyle = Living.color(byte ? "ink" : "faint");
        pen.fillText(hex(byte), x + 10, y + 30);
        if (first() + n !== at) continue;
        pen.strokeStyle = Living.color("orange");
        pen.strokeRect(x + 3, y + 8, step - 6, line - 14);
      }
      const byte = pixels[at - HEADER];
      box.say(`Byte ${at} is ${hex(byte)}, ${byte}: row ${row}, column ${column} of a picture ${wide} wide`);
    };
  });
  return { place, offset };
})();
