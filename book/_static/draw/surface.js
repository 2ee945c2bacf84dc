"use strict";

/**
 * The drawing surface: mouse, finger, pen and keyboard leave strokes on a canvas.
 *
 * Strokes are kept as points between 0 and 1, not as pixels, so that the drawing survives a change
 * of the window's size, a turned phone and a change of the theme.
 *
 * @typedef {{
 *   strokes: () => Stroke[], canUndo: () => boolean, undo: () => void, clear: () => void,
 *   paint: () => void, toPng: () => Promise<Blob | null>
 * }} Surface
 */
const Surface = (() => {
  const PEN = 0.05; // width of the line on the screen, as a share of the surface
  const CLOSE = 0.004; // a quick mouse reports more points than anybody can see
  const STEP = 0.025; // how far one press of an arrow key goes
  const PNG_SIZE = 560;

  /** @type {{[key: string]: [number, number]}} */
  const ARROWS = {
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, -1],
    ArrowDown: [0, 1],
  };

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{onChange: () => void, onPen: (isDown: boolean) => void}} listener
   * @returns {Surface}
   */
  function create(canvas, { onChange, onPen }) {
    /** @type {Stroke[]} */
    let strokes = [];
    /** What undo goes back to, newest last. Lists are replaced, never changed, so they can be kept.
     * @type {Stroke[][]} */
    const past = [];
    /** @type {number | null} the finger, pen or mouse that is drawing */
    let pointer = null;
    /** @type {Point | null} where the arrow keys are, once they are used */
    let cursor = null;
    let penIsDown = false; // of the arrow keys

    /** @param {Point} point */
    function begin(point) {
      past.push(strokes);
      strokes = [...strokes, [point]];
      onChange();
    }

    /** @param {Point[]} points */
    function extend(points) {
      const stroke = [...strokes[strokes.length - 1]];
      for (const point of points) {
        const last = stroke[stroke.length - 1];
        if (Math.hypot(point.x - last.x, point.y - last.y) >= CLOSE) stroke.push(point);
      }
      strokes = [...strokes.slice(0, -1), stroke];
      onChange();
    }

    function lift() {
      pointer = null;
      if (penIsDown) onPen(false);
      penIsDown = false;
    }

    function undo() {
      lift();
      strokes = past.pop() || [];
      onChange();
    }

    function clear() {
      lift();
      if (strokes.length) past.push(strokes); // so that undo brings a cleared drawing back
      strokes = [];
      onChange();
    }

    /**
     * @param {PointerEvent} event
     * @returns {Point}
     */
    function pointOf(event) {
      const frame = canvas.getBoundingClientRect();
      const inside = (/** @type {number} */ share) => Math.min(1, Math.max(0, share));
      return {
        x: inside((event.clientX - frame.left) / frame.width),
        y: inside((event.clientY - frame.top) / frame.height),
      };
    }

    canvas.addEventListener("pointerdown", (event) => {
      // One stroke at a time: a second finger or the palm beside a pen draws nothing.
      if (pointer !== null || event.button !== 0) return;
      event.preventDefault(); // or the browser would select text
      canvas.focus({ preventScroll: true });
      canvas.setPointerCapture(event.pointerId); // the stroke goes on outside the canvas
      lift();
      cursor = null;
      pointer = event.pointerId;
      begin(pointOf(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId !== pointer) return;
      // Between two frames the pen may have been in several places.
      const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
      extend((events.length ? events : [event]).map(pointOf));
    });
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(name, (event) => {
        if (/** @type {PointerEvent} */ (event).pointerId === pointer) lift();
      });
    }

    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const arrow = ARROWS[event.key];
      if (arrow) {
        event.preventDefault(); // or the page would scroll
        const from = cursor || { x: 0.5, y: 0.5 };
        const go = (/** @type {number} */ at, /** @type {number} */ way) =>
          Math.min(1, Math.max(0, at + way * STEP));
        cursor = cursor ? { x: go(from.x, arrow[0]), y: go(from.y, arrow[1]) } : from;
        if (penIsDown) extend([cursor]);
        paint();
      } else if (event.key === " " || event.key === "Enter") {
        event.preventDefault();
        cursor = cursor || { x: 0.5, y: 0.5 };
        penIsDown = !penIsDown;
        if (penIsDown) begin(cursor);
        onPen(penIsDown);
        paint();
      }
    });
    canvas.addEventListener("blur", () => {
      lift();
      paint(); // without the cursor, which waits where it is
    });
    canvas.addEventListener("focus", () => paint());

    /**
     * @param {CanvasRenderingContext2D} context
     * @param {number} size of the canvas in its own pixels
     */
    function drawStrokes(context, size) {
      context.lineWidth = PEN * size;
      context.lineCap = "round";
      context.lineJoin = "round";
      for (const stroke of strokes) {
        context.beginPath();
        context.moveTo(stroke[0].x * size, stroke[0].y * size);
        for (const { x, y } of stroke) context.lineTo(x * size, y * size);
        if (stroke.length === 1) context.lineTo(stroke[0].x * size, stroke[0].y * size + 0.01); // a dot
        context.stroke();
      }
    }

    function paint() {
      const size = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
      if (canvas.width !== size) canvas.width = canvas.height = size;
      const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
      context.clearRect(0, 0, size, size);
      context.strokeStyle = getComputedStyle(canvas).color; // so that the style sheet decides
      drawStrokes(context, size);
      if (cursor && document.activeElement === canvas) {
        const arm = (penIsDown ? 0.02 : 0.04) * size;
        context.lineWidth = Math.max(2, size / 200);
        context.strokeStyle = getComputedStyle(canvas).outlineColor;
        context.beginPath();
        context.moveTo(cursor.x * size - arm, cursor.y * size);
        context.lineTo(cursor.x * size + arm, cursor.y * size);
        context.moveTo(cursor.x * size, cursor.y * size - arm);
        context.lineTo(cursor.x * size, cursor.y * size + arm);
        context.stroke();
      }
    }

    /** @returns {Promise<Blob | null>} The drawing in black on white, as on paper. */
    function toPng() {
      const page = document.createElement("canvas");
      page.width = page.height = PNG_SIZE;
      const context = /** @type {CanvasRenderingContext2D} */ (page.getContext("2d"));
      context.fillStyle = "white";
      context.fillRect(0, 0, PNG_SIZE, PNG_SIZE);
      context.strokeStyle = "black";
      drawStrokes(context, PNG_SIZE);
      return new Promise((resolve) => page.toBlob(resolve, "image/png"));
    }

    return {
      strokes: () => strokes,
      canUndo: () => past.length > 0,
      undo,
      clear,
      paint,
      toPng,
    };
  }

  return { create };
})();
