"use strict";

/**
 * The feature maps: what every stage of the network makes of the drawing, and one of them enlarged.
 *
 * @typedef {{number: number, channels: number, height: number, width: number, layer: number,
 *            filters: Tensor | null}} Stage  layer is the index of its last layer
 */
const Maps = (() => {
  /**
   * A stage ends where a ReLU puts out pictures.
   * @param {Layer[]} layers
   * @param {Tensor[]} outputs of the layers, for any picture
   * @returns {Stage[]}
   */
  function findStages(layers, outputs) {
    /** @type {Stage[]} */
    const stages = [];
    layers.forEach((layer, index) => {
      const shape = outputs[index].shape;
      if (layer.type === "ReLU" && shape.length === 3) {
        const [channels, height, width] = shape;
        const first = layers[0];
        // Only filters that look at the drawing itself are a picture.
        const filters = !stages.length && first.type === "Conv2d" ? first.weight : null;
        const number = stages.length + 1;
        stages.push({ number, channels, height, width, layer: index, filters });
      }
    });
    return stages;
  }

  /**
   * @param {HTMLElement} section holds .draw-stages and .draw-lens
   * @param {Stage[]} stages
   * @returns {{show: (outputs: Tensor[] | null) => void}} null shows empty maps
   */
  function create(section, stages) {
    const list = /** @type {HTMLElement} */ (section.querySelector(".draw-stages"));
    const lens = /** @type {HTMLElement} */ (section.querySelector(".draw-lens"));
    const lensMap = /** @type {HTMLCanvasElement} */ (lens.querySelector(".draw-lens-map"));
    const lensFilter = /** @type {HTMLElement} */ (lens.querySelector(".draw-lens-filter"));
    const lensText = /** @type {HTMLElement} */ (lens.querySelector(".draw-lens-text"));
    let chosen = { stage: stages[0], channel: 0 };
    /** @type {Tensor[] | null} */
    let last = null;

    section.hidden = stages.length === 0;
    const rows = stages.map((stage) => addStage(stage));
    list.replaceChildren(...rows.map(({ element }) => element));
    if (stages.length) choose(stages[0], 0);

    /** @param {Stage} stage */
    function addStage(stage) {
      const { number, channels, height, width } = stage;
      const element = document.createElement("div");
      element.setAttribute("role", "group");
      element.setAttribute("aria-label", `Stage ${number}, ${channels} feature maps`);
      const title = document.createElement("p");
      title.textContent = `Stage ${number}: ${channels} maps of ${height}×${width}`;
      const grid = document.createElement("div");
      grid.className = "draw-maps";
      const buttons = Array.from({ length: channels }, (_, channel) => {
        const button = document.createElement("button");
        button.type = "button";
        button.setAttribute("aria-label", `Stage ${number}, map ${channel + 1}`);
        button.append(document.createElement("canvas"));
        button.addEventListener("click", () => choose(stage, channel));
        button.addEventListener("focus", () => choose(stage, channel));
        grid.append(button);
        return button;
      });
      // One tab stop per stage; the arrow keys go from map to map.
      grid.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
        if (!step || at < 0) return;
        event.preventDefault();
        buttons[(at + step + channels) % channels].focus();
      });
      element.append(title, grid);
      return { element, buttons };
    }

    /**
     * @param {Stage} stage
     * @param {number} channel
     */
    function choose(stage, channel) {
      chosen = { stage, channel };
      rows.forEach(({ buttons }, n) => {
        buttons.forEach((button, c) => {
          const isChosen = stages[n] === stage && c === channel;
          button.setAttribute("aria-pressed", String(isChosen));
          button.tabIndex = isChosen || (stages[n] !== stage && c === 0) ? 0 : -1;
        });
      });
      showLens();
    }

    function showLens() {
      const { stage, channel } = chosen;
      const { number, filters } = stage;
      const before = number > 1 ? stages[number - 2].channels : 1;
      paintMap(lensMap, stage, channel);
      lensFilter.hidden = !filters;
      let text = `Stage ${number}, map ${channel + 1} of ${stage.channels}. `;
      if (filters) {
        const k = filters.shape[2];
        const weights = filters.data.subarray(channel * k * k, (channel + 1) * k * k);
        const largest = Math.max(...weights.map(Math.abs)) || 1;
        const canvas = /** @type {HTMLCanvasElement} */ (lensFilter.querySelector("canvas"));
        const share = (/** @type {number} */ n) => (weights[n] / largest + 1) / 2;
        Pictures.paint(canvas, k, k, share, Pictures.DIVERGING);
        text +=
          "Beside it the filter that made it: ink under orange raises the number, ink under blue lowers it.";
      } else {
        text += `Its filter looks at all ${before} maps of stage ${number - 1} at once.`;
      }
      lensText.textContent = text;
    }

    /**
     * @param {HTMLCanvasElement} canvas
     * @param {Stage} stage
     * @param {number} channel
     * @param {number} largest what is shown as white
     */
    function paintMap(canvas, stage, channel, largest = brightest(stage)) {
      const { height, width, layer } = stage;
      const map = last && last[layer].data.subarray(channel * height * width);
      const share = (/** @type {number} */ n) => (map ? map[n] / largest : 0);
      Pictures.paint(canvas, height, width, share, Pictures.GLOW);
    }

    /**
     * One scale for all maps of a stage, so that a map that finds little stays dark.
     * @param {Stage} stage
     * @returns {number}
     */
    function brightest(stage) {
      return (last && last[stage.layer].data.reduce((a, b) => Math.max(a, b), 0)) || 1;
    }

    /** @param {Tensor[] | null} outputs */
    function show(outputs) {
      last = outputs;
      stages.forEach((stage, n) => {
        const largest = brightest(stage);
        rows[n].buttons.forEach((button, channel) => {
          const canvas = /** @type {HTMLCanvasElement} */ (button.firstChild);
          paintMap(canvas, stage, channel, largest);
        });
      });
      if (stages.length) showLens();
    }

    return { show };
  }

  return { findStages, create };
})();
