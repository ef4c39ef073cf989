/**
 * What was said: the examiner's words light up as they are heard, the candidate's as they are recognised.
 *
 * An interrupted line keeps only what was heard. An entry is marked busy while it grows, so that a screen reader reads
 * it once, whole.
 */

import { make } from "./dom.js";

/**
 * When each word of a phrase is heard, taking words to be as long as their letters, as the server does.
 * @param {string} text @param {number} start first sample of the phrase @param {number} end sample after its last
 */
export function wordTimes(text, start, end) {
  const words = text.trim().split(/\s+/).filter(Boolean);
  const letters = words.join(" ").length;
  let at = 0;
  return words.map((word) => {
    const from = start + ((end - start) * at) / letters;
    at += word.length + 1;
    const to = start + ((end - start) * Math.min(at, letters)) / letters;
    return { text: word, start: from, end: to };
  });
}

const NAMES = { examiner: "Examiner", candidate: "You" };

export class Log {
  /** @param {HTMLElement} element @param {() => number} latencyS seconds between rendering and hearing a sample */
  constructor(element, latencyS) {
    this.element = element;
    this.latencyS = latencyS;
    this.responses = new Map();
    this.items = new Map();
    this.rateHz = 24000;
    this.nearEnd = true;
    element.addEventListener("scroll", () => {
      this.nearEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 60;
    });
  }

  clear() {
    this.responses.clear();
    this.items.clear();
    this.element.replaceChildren();
  }

  /** Text of everything heard and said, oldest first. */
  entries() {
    return [...this.element.querySelectorAll(".viva-entry")].map((entry) => ({
      who: entry.dataset.who,
      text: [...entry.querySelector(".viva-entry-text").childNodes].map((node) => node.textContent.trim()).join(" "),
      interrupted: entry.dataset.interrupted === "true",
    }));
  }

  caption({ response_id: id, text, start_sample: start, end_sample: end, kind }) {
    const response = this.response(id);
    if (response.closed) return;
    if (!response.line || response.line.dataset.kind !== kind) {
      response.line = make("span", { class: "viva-line", data: { kind } });
      response.text.append(response.line);
    }
    for (const word of wordTimes(text, start, end)) {
      const span = make("span", { class: "viva-word ahead", text: word.text });
      if (response.line.childNodes.length > 0) response.line.append(" ");
      response.line.append(span);
      response.words.push({ span, start: word.start, end: word.end });
    }
    this.highlight(id);
    this.follow();
  }

  /** Words of a response for which no captions came. */
  transcript(id, text) {
    const response = this.response(id);
    if (response.words.length === 0 && text) {
      response.text.textContent = text;
      this.follow();
    }
  }

  position(id, nSamples, playing) {
    const response = this.responses.get(id);
    if (!response) return;
    response.played = nSamples;
    response.playing = playing;
    this.highlight(id);
  }

  /** Nothing more of this response will be heard; words beyond `nSamples` (what was played, if null) never were. */
  finish(id, nSamples = null) {
    const response = this.responses.get(id);
    if (!response || response.closed) return;
    response.closed = true;
    response.entry.removeAttribute("aria-busy");
    this.cut(response, nSamples ?? response.played);
    for (const { span } of response.words) span.className = "viva-word heard";
  }

  cut(response, nSamples) {
    const unheard = response.words.filter((word) => word.start >= nSamples);
    if (unheard.length === 0) return;
    for (const { span } of unheard) span.remove();
    response.words = response.words.filter((word) => word.start < nSamples);
    response.entry.dataset.interrupted = "true";
    const last = response.words.at(-1);
    if (last) last.span.parentElement.append(make("span", { class: "viva-cut", text: " — interrupted" }));
    else response.entry.remove();
  }

  highlight(id) {
    const response = this.responses.get(id);
    const heard = response.played - this.latencyS() * this.rateHz;
    for (const { span, start, end } of response.words) {
      const state = response.closed || heard >= end ? "heard" : heard >= start && response.played > 0 ? "now" : "ahead";
      if (!span.classList.contains(state)) span.className = `viva-word ${state}`;
    }
  }

  /** A partial of the candidate's words. */
  partial(itemId, delta) {
    const item = this.item(itemId);
    if (item.closed) return;
    item.text.textContent += delta;
    this.follow();
  }

  /** The candidate's words as finally recognised, or typed. */
  said(itemId, text) {
    const item = this.item(itemId);
    item.closed = true;
    item.entry.removeAttribute("aria-busy");
    item.text.textContent = text;
    if (!text.trim()) item.entry.remove();
    this.follow();
  }

  /** A line that is neither's: a pause, a lost connection. */
  remark(text) {
    const last = this.element.lastElementChild;
    if (last?.classList.contains("viva-remark") && last.textContent === text) return;
    this.element.append(make("p", { class: "viva-remark", text }));
    this.follow();
  }

  response(id) {
    if (!this.responses.has(id)) {
      this.responses.set(id, { ...this.entry("examiner"), words: [], played: 0, playing: false, closed: false });
    }
    return this.responses.get(id);
  }

  item(id) {
    if (!this.items.has(id)) this.items.set(id, { ...this.entry("candidate"), closed: false });
    return this.items.get(id);
  }

  entry(who) {
    const text = make("p", { class: "viva-entry-text" });
    const entry = make(
      "div",
      { class: `viva-entry viva-entry-${who}`, data: { who }, "aria-busy": "true" },
      make("p", { class: "viva-entry-who", text: NAMES[who] }),
      text,
    );
    this.element.append(entry);
    return { entry, text };
  }

  follow() {
    if (this.nearEnd) this.element.scrollTop = this.element.scrollHeight;
  }
}
