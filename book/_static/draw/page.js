"use strict";

/**
 * Ties the parts of the page together: strokes → ink → 28×28 → network → answer, at most once for
 * every picture that the screen shows.
 */
(() => {
  const find = (/** @type {string} */ selector) =>
    /** @type {HTMLElement} */ (document.querySelector(selector));
  const findCanvas = (/** @type {string} */ selector) =>
    /** @type {HTMLCanvasElement} */ (document.querySelector(selector));

  const lab = find("#draw-lab");
  const undoButton = /** @type {HTMLButtonElement} */ (find("#draw-undo"));
  const clearButton = /** @type {HTMLButtonElement} */ (find("#draw-clear"));
  const saveButton = /** @type {HTMLButtonElement} */ (find("#draw-save"));
  const answer = Answer.create(find("#draw-answer"));

  /** @type {Weights | null} */
  let weights = null;
  let maps = Maps.create(find("#draw-maps"), []);
  let frame = 0; // number of the frame that has been asked for, 0 for none

  const surface = Surface.create(findCanvas("#draw-surface"), {
    onChange: update,
    onPen: (isDown) => answer.say(isDown ? "Pen down." : "Pen up."),
  });

  /** Ask for one computation before the next frame, however many points come in until then. */
  function update() {
    if (!frame) frame = requestAnimationFrame(compute);
  }

  /**
   * A button that goes gray while it has the focus hands it to the paper, where the keys work.
   * @param {HTMLButtonElement} button
   * @param {boolean} on
   */
  function enable(button, on) {
    if (!on && document.activeElement === button) findCanvas("#draw-surface").focus();
    button.disabled = !on;
  }

  function compute() {
    frame = 0;
    surface.paint();
    const strokes = surface.strokes();
    enable(undoButton, surface.canUndo());
    enable(clearButton, strokes.length > 0);
    enable(saveButton, strokes.length > 0);
    lab.classList.toggle("draw-is-empty", strokes.length === 0);

    const image = strokes.length ? prepare(strokes) : null;
    if (!image) showPaper();
    const refusal = weights ? Answer.refuse(strokes) : Answer.WITHOUT_NETWORK;
    if (refusal) {
      maps.show(null);
      answer.show(refusal, null);
    } else if (image && weights) {
      const { outputs, probs } = predict(image, weights);
      maps.show(outputs);
      answer.show(Answer.judge(probs, weights.unsure_below), probs);
    }
  }

  /**
   * The preparation, every step shown.
   * @param {Stroke[]} strokes
   * @returns {Uint8Array} 28 * 28 bytes
   */
  function prepare(strokes) {
    const ink = Strokes.toInk(strokes);
    const { box, image } = Prepare.toMnist(ink);
    showGrid("#draw-ink", ink, 100);
    showGrid("#draw-box", box, 20);
    Pictures.paint(findCanvas("#draw-image"), 28, 28, (n) => image[n] / 255, Pictures.GRAY);
    return image;
  }

  /**
   * @param {Uint8Array} image 28 * 28 bytes
   * @param {Weights} weights
   */
  function predict(image, weights) {
    const { layers, mean, std, temperature } = weights;
    const x = Network.normalize(image, mean, std);
    const outputs = Network.forward(layers, x);
    const logits = outputs[outputs.length - 1].data;
    const probs = Network.softmax(logits, temperature);
    return { outputs, logits, probs };
  }

  /**
   * Show a grid in the middle of a square.
   * @param {string} selector
   * @param {Grid} grid
   * @param {number} size of the square
   */
  function showGrid(selector, grid, size) {
    const top = Math.floor((size - grid.height) / 2);
    const left = Math.floor((size - grid.width) / 2);
    const share = (/** @type {number} */ n) => {
      const row = Math.floor(n / size) - top;
      const column = (n % size) - left;
      const isInside = row >= 0 && row < grid.height && column >= 0 && column < grid.width;
      return isInside ? grid.data[row * grid.width + column] : 0;
    };
    Pictures.paint(findCanvas(selector), size, size, share, Pictures.GRAY);
  }

  function showPaper() {
    for (const [selector, size] of /** @type {[string, number][]} */ ([
      ["#draw-ink", 100],
      ["#draw-box", 20],
      ["#draw-image", 28],
    ])) {
      Pictures.paint(findCanvas(selector), size, size, () => 0, Pictures.GRAY);
    }
  }

  /**
   * Put weights in, or say why that cannot be done.
   * @param {() => Weights} read
   * @param {string} name of the file, for the message
   */
  function useWeights(read, name) {
    const trouble = find("#draw-trouble");
    try {
      const fresh = read();
      const paper = Network.normalize(new Uint8Array(28 * 28), fresh.mean, fresh.std);
      const stages = Maps.findStages(fresh.layers, Network.forward(fresh.layers, paper));
      maps = Maps.create(find("#draw-maps"), stages);
      weights = fresh;
      trouble.hidden = true;
      find("#draw-provenance").textContent = fresh.provenance;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const now = weights
        ? "The weights from before are still in use."
        : "There is no network to read your drawing.";
      trouble.textContent = `The weights file ${name} cannot be used: ${reason}. ${now}`;
      trouble.hidden = false;
    }
    update();
  }

  undoButton.addEventListener("click", surface.undo);
  clearButton.addEventListener("click", surface.clear);
  saveButton.addEventListener("click", async () => {
    const png = await surface.toPng();
    if (!png) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(png);
    link.download = "my_digit.png";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
  lab.addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase();
    const isUndo = event.ctrlKey || event.metaKey ? key === "z" && !event.shiftKey : key === "u";
    const isClear = !event.ctrlKey && !event.metaKey && ["escape", "delete", "c"].includes(key);
    if (event.altKey || !(isUndo || isClear)) return;
    event.preventDefault();
    if (isUndo) surface.undo();
    else surface.clear();
  });

  const chooser = /** @type {HTMLInputElement} */ (find("#draw-file"));
  chooser.addEventListener("change", async () => {
    const file = chooser.files && chooser.files[0];
    if (!file) return;
    const text = await file.text();
    useWeights(() => WeightsFile.readText(text), file.name);
    chooser.value = ""; // so that the same file can be chosen again after a change
  });

  // The drawing takes its color from the theme, and its sharpness from its size on the screen.
  new MutationObserver(surface.paint).observe(document.documentElement, {
    attributeFilter: ["data-theme"],
  });
  new ResizeObserver(surface.paint).observe(findCanvas("#draw-surface"));

  useWeights(() => {
    const file = /** @type {any} */ (window).MNIST_COURSE_WEIGHTS;
    if (!file) throw new Error("it is missing, or was cut off or changed");
    return WeightsFile.read(file);
  }, "weights.js");
})();
