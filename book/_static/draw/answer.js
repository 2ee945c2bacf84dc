"use strict";

/**
 * What the network says, in words and as ten bars.
 *
 * @typedef {{kind: "empty" | "small" | "several" | "unsure" | "sure" | "broken",
 *            digit: number | null, sentence: string}} Verdict
 */
const Answer = (() => {
  const TOO_SMALL = 0.06; // of the surface: a dot, or a touch by accident
  const PAUSE = 700; // ms without a change, before a screen reader hears the answer
  /** @type {Verdict} */
  const WITHOUT_NETWORK = { kind: "broken", digit: null, sentence: "There is no network here." };

  /**
   * @param {number} prob
   * @returns {string}
   */
  function percent(prob) {
    // No network is certain, so rounding may not say so.
    return prob > 0.9994 ? ">\u00a099.9\u00a0%" : `${(100 * prob).toFixed(1)}\u00a0%`;
  }

  /**
   * @param {number} digit
   * @returns {string}
   */
  function named(digit) {
    return `${digit === 8 ? "an" : "a"} ${digit}`;
  }

  /**
   * What can be said before the network is asked.
   * @param {Stroke[]} strokes
   * @returns {Verdict | null} null if the network should be asked
   */
  function refuse(strokes) {
    if (!strokes.length) return { kind: "empty", digit: null, sentence: "Draw something." };
    const { width, height } = Strokes.bounds(strokes);
    if (Math.max(width, height) < TOO_SMALL) {
      return { kind: "small", digit: null, sentence: "That is a dot. Draw a digit, larger." };
    }
    const shapes = Strokes.countShapes(strokes);
    if (shapes > 1) {
      const sentence = `I see ${shapes} separate shapes. I read one digit at a time.`;
      return { kind: "several", digit: null, sentence };
    }
    return null;
  }

  /**
   * @param {number[]} probs
   * @param {number} unsureBelow
   * @returns {Verdict}
   */
  function judge(probs, unsureBelow) {
    const [first, second] = probs.map((_, digit) => digit).sort((a, b) => probs[b] - probs[a]);
    if (probs[first] < unsureBelow) {
      const [likely, other] = [first, second].map((k) => `${named(k)} (${percent(probs[k])})`);
      return { kind: "unsure", digit: first, sentence: `I am unsure: ${likely} or ${other}?` };
    }
    return {
      kind: "sure",
      digit: first,
      sentence: `I see ${named(first)}. Probability: ${percent(probs[first])}`,
    };
  }

  /**
   * @param {HTMLElement} root holds .draw-digit, .draw-sentence, .draw-bars and .draw-announce
   */
  function create(root) {
    const digit = /** @type {HTMLElement} */ (root.querySelector(".draw-digit"));
    const sentence = /** @type {HTMLElement} */ (root.querySelector(".draw-sentence"));
    const announce = /** @type {HTMLElement} */ (root.querySelector(".draw-announce"));
    const list = /** @type {HTMLElement} */ (root.querySelector(".draw-bars"));
    const bars = Array.from({ length: 10 }, (_, number) => addBar(list, number));
    let timer = 0;

    /**
     * @param {Verdict} verdict
     * @param {number[] | null} probs
     */
    function show(verdict, probs) {
      const mark = verdict.kind === "unsure" ? "?" : "";
      digit.textContent = verdict.digit === null ? "–" : `${verdict.digit}${mark}`;
      sentence.textContent = verdict.sentence;
      root.dataset.kind = verdict.kind;
      const largest = probs ? Math.max(...probs) : NaN;
      bars.forEach(({ row, fill, value }, number) => {
        const prob = probs ? probs[number] : 0;
        fill.style.transform = `scaleX(${prob})`;
        value.textContent = probs ? percent(prob) : "–";
        row.classList.toggle("draw-largest", prob === largest);
      });
      say(verdict.sentence);
    }

    /** @param {string} text for screen readers, once the hand rests */
    function say(text) {
      clearTimeout(timer);
      timer = window.setTimeout(() => {
        if (announce.textContent !== text) announce.textContent = text;
      }, PAUSE);
    }

    return { show, say };
  }

  /**
   * @param {HTMLElement} list
   * @param {number} number
   */
  function addBar(list, number) {
    const row = document.createElement("li");
    const name = document.createElement("span");
    name.className = "draw-name";
    name.textContent = String(number);
    const track = document.createElement("span");
    track.className = "draw-track";
    const fill = document.createElement("span");
    fill.className = "draw-fill";
    track.append(fill);
    const value = document.createElement("span");
    value.className = "draw-value";
    row.append(name, track, value);
    list.append(row);
    return { row, fill, value };
  }

  return { WITHOUT_NETWORK, refuse, judge, create };
})();
