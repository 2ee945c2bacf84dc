"use strict";

/**
 * Figures that a hand can move. A page names one in `<figure class="living" data-living="hill">`;
 * the file of that name defines it with `Living.define`, out of the parts that `Box` makes:
 * sliders, buttons, a canvas that can be pointed at, a line of numbers. Everything is computed in
 * the page; without JavaScript and in print the figure is not there, and the still one remains.
 *
 * @typedef {[number, number]} Pair two numbers: a place, or the ends of a range
 * @typedef {{ point: (x: number, y: number, fresh: boolean) => void,
 *   nudge: (dx: number, dy: number) => void }} Hand what pointing does, and whether it begins; arrow keys
 */
const Living = (() => {
  /** @type {Record<string, (box: Box) => void | Promise<void>>} */
  const makers = {};
  /** @type {Box[]} */
  const boxes = [];
  /**
   * What the build wrote for the figures into `data.js`, from the course's own arrays.
   *
   * @type {{ valley: { H: number[][], r: number[], best: number[] }, digits: number[][],
   *   clouds: number[][], file: { pixels: number[], count: number },
   *   sprite: { png: string, labels: string, numTrain: number } }}
   */
  const data = {
    valley: { H: [], r: [], best: [] },
    digits: [],
    clouds: [],
    file: { pixels: [], count: 0 },
    sprite: { png: "", labels: "", numTrain: 0 },
  };
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  /** One figure on a page. Its numbers change in handlers, its picture in `draw` alone. */
  class Box {
    /** @param {HTMLElement} figure */
    constructor(figure) {
      this.stage = /** @type {HTMLElement} */ (figure.querySelector(".living-stage"));
      this.controls = this._add("div", "living-controls");
      this.pictures = this._add("div", "living-pictures");
      this.numbers = this._add("p", "living-numbers");
      this.numbers.setAttribute("role", "status"); // read aloud when the hand rests
      this.draw = () => {};
      this._asked = false;
      this._running = 0;
    }

    /**
     * Draw once before the next frame, however much changes until then.
     */
    changed() {
      if (this._asked) return;
      this._asked = true;
      requestAnimationFrame(() => {
        this._asked = false;
        this.draw();
      });
    }

    /** @param {string} text the figure's numbers, in words */
    say(text) {
      if (this.numbers.textContent !== text) this.numbers.textContent = text;
    }

    /**
     * @param {string} label
     * @param {Pair} range
     * @param {number} step
     * @param {number} value
     * @param {(value: number) => number} scale what a place of the slider stands for
     * @returns {{ value: number }} reading gives what it stands for; writing moves the slider
     */
    slider(label, range, step, value, scale = (v) => v) {
      const input = document.createElement("input");
      const shown = document.createElement("output");
      Object.assign(input, { type: "range", min: range[0], max: range[1], step, value });
      const show = () => {
        shown.textContent = Number(scale(Number(input.value)).toPrecision(3)).toString();
        input.setAttribute("aria-valuetext", shown.textContent);
      };
      input.addEventListener("input", () => (show(), this.changed()));
      show();
      this._label(label, input).append(shown);
      return {
        get value() {
          return scale(Number(input.value));
        },
        set value(place) {
          input.value = String(place);
          show();
        },
      };
    }

    /**
     * @param {string} label
     * @param {string[]} options
     * @returns {{ index: number }} which one is chosen
     */
    choice(label, options) {
      const select = document.createElement("select");
      select.append(...options.map((option) => new Option(option)));
      select.addEventListener("change", () => this.changed());
      this._label(label, select);
      return {
        get index() {
          return select.selectedIndex;
        },
        set index(n) {
          select.selectedIndex = n;
        },
      };
    }

    /**
     * @param {string} text
     * @param {() => void} act
     * @returns {HTMLButtonElement}
     */
    button(text, act) {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: text });
      button.addEventListener("click", () => (act(), this.changed()));
      this.controls.append(button);
      return button;
    }

    /**
     * Let time pass: some steps a frame, or all at once for whoever wants no motion.
     *
     * @param {number} steps
     * @param {() => void} step
     * @param {number} most steps a frame; fewer if they take longer than half of it
     */
    run(steps, step, most = 1) {
      const mine = ++this._running; // whatever ran before stops
      if (still.matches) {
        for (let n = 0; n < steps; n++) step();
        this.changed();
        return;
      }
      let left = steps;
      const frame = () => {
        if (mine !== this._running || left <= 0) return;
        const end = performance.now() + 8;
        for (let n = 0; n < most && left > 0 && (n === 0 || performance.now() < end); n++, left--) step();
        this.draw();
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    }

    /** Stop what runs. */
    stop() {
      this._running++;
    }

    /**
     * @param {string} label what it shows, for whoever does not see it
     * @param {number} size width and height of what is drawn, in units of CSS at full width
     * @param {Hand} [hand] what pointing at it does, in shares of the width and height, 0 to 1
     * @returns {Canvas}
     */
    canvas(label, size, hand) {
      return new Canvas(this.pictures, label, size, hand && this._tell(hand));
    }

    /**
     * @param {Hand} hand
     * @returns {Hand} the same, and a new picture after it
     */
    _tell(hand) {
      return {
        point: (x, y, fresh) => (hand.point(x, y, fresh), this.changed()),
        nudge: (dx, dy) => (hand.nudge(dx, dy), this.changed()),
      };
    }

    /**
     * @param {string} kind
     * @param {string} name
     */
    _add(kind, name) {
      const made = document.createElement(kind);
      made.className = name;
      this.stage.append(made);
      return made;
    }

    /**
     * @param {string} text
     * @param {HTMLElement} control
     */
    _label(text, control) {
      const label = document.createElement("label");
      const words = document.createElement("span");
      words.textContent = text;
      control.setAttribute("aria-label", text); // without the value that stands beside it
      label.append(words, control);
      this.controls.append(label);
      return label;
    }
  }

  /** A square on which one draws in units of 0 to `size`, sharp on every screen. */
  class Canvas {
    /**
     * @param {HTMLElement} parent
     * @param {string} label
     * @param {number} size
     * @param {Hand} [hand]
     */
    constructor(parent, label, size, hand) {
      this.size = size;
      this.element = document.createElement("canvas");
      this.element.setAttribute("aria-label", label);
      this.element.setAttribute("role", hand ? "application" : "img");
      this.element.style.maxWidth = `${size}px`;
      parent.append(this.element);
      if (hand) this._listen(hand);
    }

    /** @returns {CanvasRenderingContext2D} empty, in the theme's ink */
    pen() {
      const sharp = Math.min(3, devicePixelRatio || 1);
      const pixels = Math.round(this.size * sharp);
      if (this.element.height !== pixels) this.element.width = this.element.height = pixels;
      const pen = /** @type {CanvasRenderingContext2D} */ (this.element.getContext("2d"));
      pen.setTransform(pixels / this.size, 0, 0, pixels / this.size, 0, 0);
      pen.clearRect(0, 0, this.size, this.size);
      pen.fillStyle = pen.strokeStyle = color("ink");
      pen.lineWidth = 2;
      pen.font = "14px system-ui, sans-serif";
      return pen;
    }

    /** @param {Hand} hand */
    _listen(hand) {
      const element = this.element;
      element.tabIndex = 0;
      element.classList.add("living-hand");
      const at = (/** @type {PointerEvent} */ event) => {
        const place = element.getBoundingClientRect();
        const share = (/** @type {number} */ v) => Math.min(1, Math.max(0, v));
        hand.point(
          share((event.clientX - place.left) / place.width),
          share((event.clientY - place.top) / place.height),
          event.type === "pointerdown",
        );
      };
      element.addEventListener("pointerdown", (event) => {
        element.setPointerCapture(event.pointerId);
        at(event);
      });
      element.addEventListener("pointermove", (event) => {
        if (event.buttons) at(event);
      });
      element.addEventListener("keydown", (event) => {
        const [dx, dy] = ARROWS[event.key] ?? [0, 0];
        if (!dx && !dy) return;
        event.preventDefault(); // the page stays where it is
        hand.nudge(dx, dy);
      });
    }
  }

  /** @type {Record<string, Pair>} */
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  /**
   * @param {string} name ink, paper, faint, blue, orange, green or pink
   * @returns {string} as the theme has it
   */
  function color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--living-${name}`).trim();
  }

  /**
   * @param {Pair} from
   * @param {Pair} to
   * @returns {(value: number) => number} the line that takes one range to the other
   */
  function line(from, to) {
    return (value) => to[0] + ((value - from[0]) / (from[1] - from[0])) * (to[1] - to[0]);
  }

  /**
   * @param {number} z
   * @returns {number[]} red, green, blue: orange above zero, blue below, paler the nearer
   */
  function diverging(z) {
    const pale = 255 * (1 - Math.min(1, Math.abs(z)));
    const strong = Math.min(1, Math.abs(z));
    return z > 0
      ? [pale + strong * 213, pale + strong * 94, pale]
      : [pale, pale + strong * 114, pale + strong * 178];
  }

  /**
   * Draw a square of numbers, a cell for each.
   *
   * @param {CanvasRenderingContext2D} pen
   * @param {number[]} place left, top and width
   * @param {number} side how many cells
   * @param {(n: number) => number[]} tint red, green and blue of the n-th, row after row
   */
  function grid(pen, [left, top, width], side, tint) {
    const small = Object.assign(document.createElement("canvas"), { width: side, height: side });
    const picture = new ImageData(side, side);
    for (let n = 0; n < side * side; n++) {
      const [red, green, blue] = tint(n);
      picture.data[4 * n] = red;
      picture.data[4 * n + 1] = green;
      picture.data[4 * n + 2] = blue;
      picture.data[4 * n + 3] = 255; // opaque
    }
    /** @type {CanvasRenderingContext2D} */ (small.getContext("2d")).putImageData(picture, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, left, top, width, width);
  }

  /**
   * @param {number} seed a whole number
   * @returns {() => number} random numbers from 0 to 1: the generator mulberry32
   */
  function random(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  /**
   * @param {number} n
   * @param {number} seed
   * @returns {number[]} 0 to n - 1 in random order (Fisher and Yates)
   */
  function shuffle(n, seed) {
    const [order, draw] = [Array.from({ length: n }, (_, i) => i), random(seed)];
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor(draw() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  /**
   * @returns {Promise<{ X: Float32Array, y: Uint8Array, numTrain: number }>} digits as rows of
   *   784 numbers from 0 to 1, their labels, and how many of them are there to train on
   */
  async function sprite() {
    const image = new Image();
    image.src = data.sprite.png; // a row of it is a digit
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), {
      width: image.width,
      height: image.height,
    });
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    pen.drawImage(image, 0, 0);
    const { data: bytes } = pen.getImageData(0, 0, image.width, image.height);
    const X = Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes[4 * i] / 255);
    return { X, y: Uint8Array.from(data.sprite.labels, Number), numTrain: data.sprite.numTrain };
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {Pair} from
   * @param {Pair} to
   * @param {string} tint
   */
  function arrow(pen, [x, y], [u, v], tint) {
    const [length, angle] = [Math.hypot(u - x, v - y), Math.atan2(v - y, u - x)];
    if (length < 1) return;
    const head = Math.min(12, length);
    pen.strokeStyle = pen.fillStyle = tint;
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(u - 0.7 * head * Math.cos(angle), v - 0.7 * head * Math.sin(angle));
    pen.stroke();
    pen.beginPath();
    for (const turn of [0, 2.75, -2.75]) {
      const far = turn ? head : 0;
      pen.lineTo(u + far * Math.cos(angle + turn), v + far * Math.sin(angle + turn));
    }
    pen.fill();
  }

  /**
   * @param {string} name as the page writes it
   * @param {(box: Box) => void | Promise<void>} maker
   */
  function define(name, maker) {
    makers[name] = maker;
  }

  function begin() {
    for (const figure of /** @type {NodeListOf<HTMLElement>} */ (
      document.querySelectorAll("figure.living")
    )) {
      const box = new Box(figure);
      const made = makers[/** @type {string} */ (figure.dataset.living)](box);
      figure.hidden = false;
      Promise.resolve(made).then(() => box.changed()); // some wait for their pictures
      boxes.push(box);
    }
    const again = () => boxes.forEach((box) => box.changed());
    new MutationObserver(again).observe(document.documentElement, {
      attributeFilter: ["data-theme"],
    });
    addEventListener("resize", again);
  }

  document.addEventListener("DOMContentLoaded", begin);
  return { define, color, line, arrow, diverging, grid, random, shuffle, sprite, data };
})();
