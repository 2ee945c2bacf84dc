"use strict";

/**
 * From the strokes of a drawing to its ink: how much of each small pixel the pen has covered.
 *
 * The page knows more than a photo does: it knows the path of the pen. So it draws the digit anew,
 * with a pen that is as wide relative to the digit as MNIST's pens were, however large or small the
 * digit was drawn. It counts the ink itself and does not ask the browser's canvas, because
 * browsers smooth lines differently, and some add noise to what a page reads back.
 *
 * @typedef {{x: number, y: number}} Point  0..1 across and down the drawing surface
 * @typedef {Point[]} Stroke  one point is a dot
 * @typedef {{height: number, width: number, data: Float64Array}} Grid  rows of numbers from 0 to 1
 */
const Strokes = (() => {
  const BOX = 20; // MNIST's box
  const PEN = 2.7; // the usual width of MNIST's pens, in pixels of that box
  const FINE = 5; // small pixels per pixel of the box, along each side
  const GAP = 0.12; // a wider gap, as a share of the longer side, parts one digit from the next

  /**
   * The smallest upright rectangle around all points.
   * @param {Stroke[]} strokes at least one
   * @returns {{left: number, top: number, width: number, height: number}}
   */
  function bounds(strokes) {
    const points = strokes.flat();
    const left = points.reduce((least, { x }) => Math.min(least, x), Infinity);
    const top = points.reduce((least, { y }) => Math.min(least, y), Infinity);
    const right = points.reduce((most, { x }) => Math.max(most, x), -Infinity);
    const bottom = points.reduce((most, { y }) => Math.max(most, y), -Infinity);
    return { left, top, width: right - left, height: bottom - top };
  }

  /**
   * Strokes above one another belong to one digit, as the bar and the belly of a 5 do; a gap from
   * top to bottom parts two.
   * @param {Stroke[]} strokes at least one
   * @returns {number} How many shapes stand side by side.
   */
  function countShapes(strokes) {
    const { width, height } = bounds(strokes);
    const gap = GAP * Math.max(width, height);
    const spans = strokes.map((stroke) => bounds([stroke])).sort((a, b) => a.left - b.left);
    let shapes = 0;
    let right = -Infinity; // of the shapes so far
    for (const span of spans) {
      if (span.left > right + gap) shapes++;
      right = Math.max(right, span.left + span.width);
    }
    return shapes;
  }

  /**
   * @param {Stroke[]} strokes at least one
   * @returns {Grid} The digit without a margin; its longer side has 100 small pixels.
   */
  function toInk(strokes) {
    const { left, top, width, height } = bounds(strokes);
    const longer = Math.max(width, height);
    // The ink sticks out by half a pen on each side: with it, the longer side fills the box.
    const scale = longer > 0 ? ((BOX - PEN) * FINE) / longer : 0;
    const radius = (PEN * FINE) / 2;
    // Rounded up; the 1e-6 keeps rounding errors from making 101 of 100.
    const rows = Math.ceil(height * scale + 2 * radius - 1e-6);
    const columns = Math.ceil(width * scale + 2 * radius - 1e-6);
    const ink = { height: rows, width: columns, data: new Float64Array(rows * columns) };
    const place = (/** @type {Point} */ { x, y }) => ({
      x: (x - left) * scale + radius,
      y: (y - top) * scale + radius,
    });
    for (const stroke of strokes) {
      const path = stroke.map(place);
      if (path.length === 1) path.push(path[0]);
      for (let n = 1; n < path.length; n++) drawLine(ink, path[n - 1], path[n], radius);
    }
    return ink;
  }

  /**
   * Color the small pixels near the line from a to b: the pen is a round disk.
   * @param {Grid} ink
   * @param {Point} a
   * @param {Point} b
   * @param {number} radius
   */
  function drawLine(ink, a, b, radius) {
    const reach = radius + 1;
    const firstRow = Math.max(0, Math.floor(Math.min(a.y, b.y) - reach));
    const lastRow = Math.min(ink.height - 1, Math.ceil(Math.max(a.y, b.y) + reach));
    const firstColumn = Math.max(0, Math.floor(Math.min(a.x, b.x) - reach));
    const lastColumn = Math.min(ink.width - 1, Math.ceil(Math.max(a.x, b.x) + reach));
    for (let row = firstRow; row <= lastRow; row++) {
      for (let column = firstColumn; column <= lastColumn; column++) {
        const distance = distanceToLine({ x: column + 0.5, y: row + 0.5 }, a, b);
        // A pixel whose center lies on the edge of the pen is half covered.
        const covered = Math.min(1, Math.max(0, radius + 0.5 - distance));
        const n = row * ink.width + column;
        ink.data[n] = Math.max(ink.data[n], covered);
      }
    }
  }

  /**
   * @param {Point} point
   * @param {Point} a
   * @param {Point} b
   * @returns {number} How far the point is from the nearest point between a and b.
   */
  function distanceToLine(point, a, b) {
    const dx = b.x - a.x;
    const dy = b.y - a.y;
    const squared = dx * dx + dy * dy;
    const along = squared ? ((point.x - a.x) * dx + (point.y - a.y) * dy) / squared : 0;
    const share = Math.min(1, Math.max(0, along));
    return Math.hypot(point.x - a.x - share * dx, point.y - a.y - share * dy);
  }

  return { bounds, countShapes, toInk };
})();
