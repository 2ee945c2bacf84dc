"use strict";

/**
 * The network, layer by layer, as in chapter 9 and with PyTorch's names.
 *
 * A picture or a stack of feature maps is a Tensor of shape [channels, height, width]; there is no
 * batch axis, because the page reads one drawing at a time. Numbers are stored as float32, as in
 * PyTorch, and added up in float64, which is what JavaScript computes in.
 *
 * @typedef {{shape: number[], data: Float32Array}} Tensor
 *
 * One entry of the weights file, in the order of the model (see weights_file.js):
 * @typedef {{type: "Conv2d", weight: Tensor, bias?: Tensor, stride: number, padding: number}
 *         | {type: "BatchNorm2d", scale: Tensor, shift: Tensor}
 *         | {type: "MaxPool2d", size: number}
 *         | {type: "Linear", weight: Tensor, bias: Tensor}
 *         | {type: "ReLU"} | {type: "Flatten"}} Layer
 */
const Network = (() => {
  const MOST_PRODUCTS = 2 ** 28; // of one layer: a second; the best network of the course takes 2 M

  /**
   * @param {...number} shape
   * @returns {Tensor} All zeros.
   */
  function zeros(...shape) {
    return { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) };
  }

  /**
   * Put a frame of zeros around every channel, so that a filter may look over the edge.
   * @param {Tensor} x [C, H, W]
   * @param {number} padding
   * @returns {Tensor} [C, H + 2 padding, W + 2 padding]
   */
  function pad(x, padding) {
    const [channels, height, width] = x.shape;
    const padded = zeros(channels, height + 2 * padding, width + 2 * padding);
    const [, rows, columns] = padded.shape;
    for (let c = 0; c < channels; c++) {
      for (let row = 0; row < height; row++) {
        const from = (c * height + row) * width;
        const to = (c * rows + row + padding) * columns + padding;
        padded.data.set(x.data.subarray(from, from + width), to);
      }
    }
    return padded;
  }

  /**
   * Cut a patch out of the picture at every position and multiply it with every filter, number by
   * number: each output is the sum of the products. Nearly all the time of the page is spent here.
   * @param {Tensor} x [C, H, W]
   * @param {Tensor} weight [outputs, C, k, k]
   * @param {Tensor | undefined} bias [outputs]
   * @param {number} stride
   * @param {number} padding
   * @returns {Tensor} [outputs, height, width]
   */
  function conv2d(x, weight, bias, stride, padding) {
    const [outputs, channels, k] = weight.shape;
    expect(x.shape.length === 3 && x.shape[0] === channels, "Conv2d", weight.shape, x.shape);
    const padded = pad(x, padding);
    const [, rows, columns] = padded.shape;
    const height = Math.floor((rows - k) / stride) + 1;
    const width = Math.floor((columns - k) / stride) + 1;
    expect(height > 0 && width > 0, "Conv2d", weight.shape, x.shape);
    if (weight.data.length * height * width > MOST_PRODUCTS) {
      throw new Error("one of its layers takes too long to compute");
    }

    const y = zeros(outputs, height, width);
    const patch = new Float32Array(channels * k * k); // in the order in which a filter is stored
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        let n = 0;
        for (let c = 0; c < channels; c++) {
          for (let i = 0; i < k; i++) {
            const start = (c * rows + row * stride + i) * columns + column * stride;
            for (let j = 0; j < k; j++) patch[n++] = padded.data[start + j];
          }
        }
        for (let o = 0; o < outputs; o++) {
          const sum = dot(weight.data, o * patch.length, patch);
          y.data[(o * height + row) * width + column] = sum + (bias ? bias.data[o] : 0);
        }
      }
    }
    return y;
  }

  /**
   * The sum of products of x with as many weights, which begin at `start`.
   * @param {Float32Array} weights
   * @param {number} start
   * @param {Float32Array} x
   * @returns {number}
   */
  function dot(weights, start, x) {
    let sum = 0;
    for (let n = 0; n < x.length; n++) sum += weights[start + n] * x[n];
    return sum;
  }

  /**
   * Batch normalization as it is after training: one factor and one offset per channel.
   * @param {Tensor} x [C, H, W]
   * @param {Tensor} scale [C]: gamma / sqrt(variance + eps)
   * @param {Tensor} shift [C]: beta - mean * scale
   * @returns {Tensor} [C, H, W]
   */
  function batchNorm2d(x, scale, shift) {
    const [channels, height, width] = x.shape;
    expect(scale.shape[0] === channels, "BatchNorm2d", scale.shape, x.shape);
    const y = zeros(...x.shape);
    for (let n = 0; n < y.data.length; n++) {
      const c = Math.floor(n / (height * width));
      y.data[n] = x.data[n] * scale.data[c] + shift.data[c];
    }
    return y;
  }

  /**
   * Keep the largest number of each square; what is left over at the right and below is dropped.
   * @param {Tensor} x [C, H, W]
   * @param {number} size
   * @returns {Tensor} [C, H / size, W / size], rounded down
   */
  function maxPool2d(x, size) {
    const [channels, height, width] = x.shape;
    const y = zeros(channels, Math.floor(height / size), Math.floor(width / size));
    const [, rows, columns] = y.shape;
    let next = 0;
    for (let c = 0; c < channels; c++) {
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          let largest = -Infinity;
          for (let i = 0; i < size; i++) {
            for (let j = 0; j < size; j++) {
              const from = (c * height + row * size + i) * width + column * size + j;
              largest = Math.max(largest, x.data[from]);
            }
          }
          y.data[next++] = largest;
        }
      }
    }
    return y;
  }

  /**
   * @param {Tensor} x
   * @returns {Tensor} x where it is positive, 0 elsewhere.
   */
  function relu(x) {
    return { shape: x.shape, data: x.data.map((value) => Math.max(0, value)) };
  }

  /**
   * @param {Tensor} x any shape
   * @returns {Tensor} The same numbers in a row.
   */
  function flatten(x) {
    return { shape: [x.data.length], data: x.data };
  }

  /**
   * logits = W x + b
   * @param {Tensor} x [D]
   * @param {Tensor} weight [K, D]
   * @param {Tensor} bias [K]
   * @returns {Tensor} [K]
   */
  function linear(x, weight, bias) {
    const [outputs, inputs] = weight.shape;
    expect(x.shape.length === 1 && x.shape[0] === inputs, "Linear", weight.shape, x.shape);
    const y = zeros(outputs);
    for (let o = 0; o < outputs; o++)
      y.data[o] = dot(weight.data, o * inputs, x.data) + bias.data[o];
    return y;
  }

  /**
   * Scores to probabilities. The largest is subtracted first, so that exp cannot overflow (chapter 4).
   * @param {ArrayLike<number>} logits
   * @param {number} temperature above 1 makes the answer less sure, and does not change it
   * @returns {number[]} They add up to 1.
   */
  function softmax(logits, temperature = 1) {
    const scores = Array.from(logits, (logit) => logit / temperature);
    const largest = Math.max(...scores);
    const exps = scores.map((score) => Math.exp(score - largest));
    const sum = exps.reduce((a, b) => a + b, 0);
    return exps.map((value) => value / sum);
  }

  /**
   * The normalization of chapter 2: bytes to numbers around 0.
   * @param {Uint8Array} image 28 * 28 bytes
   * @param {number} mean
   * @param {number} std
   * @returns {Tensor} [1, 28, 28]
   */
  function normalize(image, mean, std) {
    const x = zeros(1, 28, 28);
    for (let n = 0; n < image.length; n++) x.data[n] = (image[n] / 255 - mean) / std;
    return x;
  }

  /**
   * @param {Layer} layer
   * @param {Tensor} x
   * @returns {Tensor}
   */
  function apply(layer, x) {
    switch (layer.type) {
      case "Conv2d":
        return conv2d(x, layer.weight, layer.bias, layer.stride, layer.padding);
      case "BatchNorm2d":
        return batchNorm2d(x, layer.scale, layer.shift);
      case "MaxPool2d":
        return maxPool2d(x, layer.size);
      case "ReLU":
        return relu(x);
      case "Flatten":
        return flatten(x);
      case "Linear":
        return linear(x, layer.weight, layer.bias);
    }
  }

  /**
   * Run the whole network, and keep what every layer put out.
   * @param {Layer[]} layers
   * @param {Tensor} x [1, 28, 28], normalized
   * @returns {Tensor[]} One tensor per layer; the last one holds the logits.
   */
  function forward(layers, x) {
    const outputs = [];
    for (const layer of layers) {
      x = apply(layer, x);
      outputs.push(x);
    }
    return outputs;
  }

  /**
   * Without this a wrong shape would give NaN ten layers later, and nobody would know why.
   * @param {boolean} fits
   * @param {string} name
   * @param {number[]} weightShape
   * @param {number[]} inputShape
   */
  function expect(fits, name, weightShape, inputShape) {
    if (!fits) {
      throw new Error(`a ${name} with weights (${weightShape}) got an input (${inputShape})`);
    }
  }

  return { conv2d, batchNorm2d, maxPool2d, relu, flatten, linear, softmax, normalize, forward };
})();
