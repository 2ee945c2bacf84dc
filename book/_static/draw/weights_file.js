"use strict";

/**
 * Reads the weights file, which `python -m mnist_course weights` writes.
 *
 * FORMAT "mnist-course-weights-1". The file is a script, because a page that was opened from a disk
 * may not fetch JSON, but it may run a script that lies next to it. After a comment it says
 *
 *     window.MNIST_COURSE_WEIGHTS = { ... };
 *
 * and what stands between the "=" and the last ";" is JSON:
 *
 *     format        "mnist-course-weights-1"
 *     provenance    one or two sentences: which network, trained when, on what, how good
 *     mean, std     normalization of pixels that were scaled to 0..1
 *     temperature   probs = softmax(logits / temperature)
 *     unsure_below  a largest probability below this is called unsure, from 0 to 1
 *     layers        one entry per layer of the nn.Sequential, in its order:
 *                   {type: "Conv2d", weight, bias (if there is one), stride, padding}
 *                   {type: "BatchNorm2d", scale, shift}    both per channel, see network.js
 *                   {type: "MaxPool2d", size}
 *                   {type: "Linear", weight, bias}
 *                   {type: "ReLU"}, {type: "Flatten"}      (Dropout is left out)
 *
 * weight, bias, scale and shift are arrays:
 *
 *     {shape: [16, 1, 5, 5], crc32: 1234567, data: "..."}
 *
 * where data is the base64 of little-endian float32 numbers, the last axis running fastest, and
 * crc32 the checksum of those bytes: a file that was cut or changed is refused, and not believed.
 *
 * @typedef {{provenance: string, mean: number, std: number, temperature: number,
 *            unsure_below: number, layers: Layer[]}} Weights
 */
const WeightsFile = (() => {
  const FORMAT = "mnist-course-weights-1";
  const MOST_LAYERS = 64;
  /** The arrays of each type of layer. @type {{[type: string]: string[]}} */
  const KNOWN = {
    Conv2d: ["weight"],
    BatchNorm2d: ["scale", "shift"],
    MaxPool2d: [],
    Linear: ["weight", "bias"],
    ReLU: [],
    Flatten: [],
  };

  /**
   * @param {any} file what the script assigned
   * @returns {Weights}
   * @throws {Error} whose message says what is wrong with the file
   */
  function read(file) {
    if (!file || file.format !== FORMAT) {
      throw new Error(`it is not in the format ${FORMAT}`);
    }
    for (const name of ["mean", "std", "temperature", "unsure_below"]) {
      if (!Number.isFinite(file[name])) throw new Error(`it has no number "${name}"`);
    }
    if (!(file.std > 0 && file.temperature > 0)) {
      throw new Error('"std" and "temperature" must be above 0');
    }
    if (file.unsure_below < 0 || file.unsure_below > 1) {
      throw new Error('"unsure_below" is not a probability');
    }
    if (!Array.isArray(file.layers)) throw new Error("it has no layers");
    if (file.layers.length > MOST_LAYERS) throw new Error("it has too many layers");
    const layers = file.layers.map(readLayer);
    // One picture of paper shows whether the layers fit together and end in ten numbers.
    const paper = Network.normalize(new Uint8Array(28 * 28), file.mean, file.std);
    const logits = Network.forward(layers, paper).pop();
    if (!logits || logits.data.length !== 10 || !logits.data.every(Number.isFinite)) {
      throw new Error("its network does not give ten scores for a picture of 28×28 pixels");
    }
    const { mean, std, temperature, unsure_below } = file;
    return { provenance: String(file.provenance), mean, std, temperature, unsure_below, layers };
  }

  /**
   * @param {string} text a weights file as text, for example one that a learner chose
   * @returns {Weights}
   * @throws {Error}
   */
  function readText(text) {
    const start = text.indexOf("{");
    const end = text.lastIndexOf("}");
    let file;
    try {
      file = JSON.parse(text.slice(start, end + 1)); // as JSON: a chosen file is never run
    } catch {
      throw new Error("it was cut off or changed: what it holds is no JSON");
    }
    return read(file);
  }

  /**
   * @param {any} entry
   * @param {number} number
   * @returns {Layer}
   */
  function readLayer(entry, number) {
    const type = entry && entry.type;
    if (!Object.prototype.hasOwnProperty.call(KNOWN, type)) {
      throw new Error(`its layer ${number} is a "${type}", which this page does not know`);
    }
    const layer = { ...entry };
    for (const name of [...KNOWN[type], ...(entry.bias ? ["bias"] : [])]) {
      layer[name] = readArray(entry[name], `${name} of layer ${number} (${type})`);
    }
    if (!fits(layer)) {
      throw new Error(`shapes or settings of its layer ${number} (${type}) make no sense`);
    }
    return layer;
  }

  /**
   * Whether a layer is of a size that a picture of 28×28 pixels can have a use for. What is not
   * would keep the page busy for minutes.
   * @param {Layer} layer
   * @returns {boolean}
   */
  function fits(layer) {
    if (layer.type === "Conv2d") {
      const [outputs, , height, width] = layer.weight.shape;
      const isSquare = layer.weight.shape.length === 4 && height === width;
      const hasBiases = !layer.bias || layer.bias.data.length === outputs;
      const { stride, padding } = layer;
      return isSquare && hasBiases && isWhole(stride, 1, 28) && isWhole(padding, 0, width >> 1);
    }
    if (layer.type === "BatchNorm2d") return layer.scale.data.length === layer.shift.data.length;
    if (layer.type === "Linear") {
      return layer.weight.shape.length === 2 && layer.bias.data.length === layer.weight.shape[0];
    }
    return layer.type !== "MaxPool2d" || isWhole(layer.size, 1, 28);
  }

  /**
   * @param {unknown} number
   * @param {number} low
   * @param {number} high
   * @returns {boolean}
   */
  function isWhole(number, low, high) {
    return Number.isInteger(number) && low <= Number(number) && Number(number) <= high;
  }

  /**
   * @param {any} array
   * @param {string} name for the message
   * @returns {Tensor}
   */
  function readArray(array, name) {
    if (!array || !Array.isArray(array.shape)) throw new Error(`the ${name} is missing`);
    if (!array.shape.every((/** @type {unknown} */ size) => isWhole(size, 1, 2 ** 24))) {
      throw new Error(`the ${name} has an impossible shape`);
    }
    let bytes;
    try {
      bytes = Uint8Array.from(atob(array.data), (character) => character.charCodeAt(0));
    } catch {
      throw new Error(`the ${name} is damaged: no base64`);
    }
    let count = 1;
    for (const size of array.shape) count *= size;
    if (bytes.length !== 4 * count || crc32(bytes) !== array.crc32) {
      throw new Error(`the ${name} is damaged: its checksum is not the one that was written`);
    }
    const view = new DataView(bytes.buffer);
    const data = Float32Array.from({ length: count }, (_, n) => view.getFloat32(4 * n, true));
    return { shape: array.shape, data };
  }

  /**
   * The checksum of zip files and of zlib.crc32 in Python, bit by bit.
   * @param {Uint8Array} bytes
   * @returns {number}
   */
  function crc32(bytes) {
    let crc = ~0;
    for (const byte of bytes) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc >>> 0;
  }

  return { read, readText };
})();
