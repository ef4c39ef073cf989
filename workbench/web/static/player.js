/**
 * The examiner's sound as a queue of responses, rendered in blocks of any length.
 *
 * Pure: no Web Audio in here, so that the tests can run it anywhere; `playback-worklet.js` hosts it. Samples are counted
 * per response at the session's rate, as they are handed to the loudspeaker; that count is what the examiner's
 * transcript is cut at when the candidate interrupts.
 */

import { Resampler } from "./resampler.js";

const FADE_S = 0.005;
const REPORT_EVERY_S = 0.2;
/** Sound to collect before going on after the queue ran dry inside a response. */
const REBUFFER_S = 0.08;

export class PlaybackQueue {
  /**
   * @param {number} contextRateHz rate of the rendered blocks
   * @param {number} sessionRateHz rate of the queued sound
   * @param {(report: {responseId: string, nSamples: number, underruns: number, why: string}) => void} onReport
   *   called about five times a second while sound is played, and at each `pause`, `clear` and `end`
   */
  constructor(contextRateHz, sessionRateHz, onReport) {
    this.contextRateHz = contextRateHz;
    this.sessionRateHz = sessionRateHz;
    this.onReport = onReport;
    this.fadeFrames = Math.round(FADE_S * contextRateHz);
    this.segments = [];
    this.paused = false;
    this.tail = new Float32Array(0);
    this.fadeIn = 0;
    this.framesToReport = 0;
  }

  /** Whether there is sound to play and it is being played. */
  get playing() {
    return !this.paused && this.segments.some((segment) => segment.resampler.available() > 0);
  }

  /** The response at the head of the queue, and the samples of it that were played. */
  position() {
    const head = this.segments[0];
    return head ? { responseId: head.id, nSamples: this.#played(head) } : null;
  }

  /** Appends sound to a response. @param {string} responseId @param {Float32Array} samples session rate */
  enqueue(responseId, samples) {
    let segment = this.segments.find((one) => one.id === responseId && !one.ended);
    if (!segment) {
      segment = {
        id: responseId,
        resampler: new Resampler(this.sessionRateHz, this.contextRateHz),
        received: 0,
        frames: 0,
        ended: false,
        starved: false,
        underruns: 0,
      };
      this.segments.push(segment);
    }
    segment.resampler.push(samples);
    segment.received += samples.length;
  }

  /** No more sound of this response follows. */
  end(responseId) {
    for (const segment of this.segments) {
      if (segment.id !== responseId || segment.ended) continue;
      segment.ended = true;
      segment.resampler.end();
    }
  }

  /** Goes silent within the fade and keeps its place. */
  pause() {
    if (this.paused) return;
    this.#fadeOut();
    this.paused = true;
    if (this.segments[0]) this.#report(this.segments[0], "pause");
  }

  /** Goes on where `pause` stopped. */
  resume() {
    if (!this.paused) return;
    this.paused = false;
    this.fadeIn = this.fadeFrames;
  }

  /** Forgets one response (or all of them, `null`) and plays on with what is left. */
  clear(responseId = null) {
    const gone = this.segments.filter((one) => responseId === null || one.id === responseId);
    const headGoes = gone.includes(this.segments[0]);
    if (headGoes && !this.paused) this.#fadeOut();
    this.segments = this.segments.filter((one) => !gone.includes(one));
    if (headGoes || this.segments.length === 0) this.paused = false;
    for (const segment of gone) this.#report(segment, "clear");
  }

  /** Fills one block. @param {Float32Array} out */
  render(out) {
    out.fill(0);
    if (!this.paused) {
      this.#mix(out);
      const head = this.segments[0];
      this.framesToReport -= out.length;
      if (head && head.frames > 0 && !head.starved && this.framesToReport <= 0) this.#report(head, "tick");
    }
    if (this.tail.length > 0) {
      const n = Math.min(out.length, this.tail.length);
      for (let i = 0; i < n; i++) out[i] += this.tail[i];
      this.tail = this.tail.slice(n);
    }
  }

  #mix(out) {
    let filled = 0;
    while (filled < out.length && this.segments.length > 0) {
      const segment = this.segments[0];
      const { resampler } = segment;
      if (segment.starved && !segment.ended && resampler.available() < REBUFFER_S * this.contextRateHz) return;
      if (segment.starved) {
        segment.starved = false;
        this.fadeIn = this.fadeFrames;
      }
      const wanted = out.length - filled;
      const n = resampler.read(out, filled, wanted);
      segment.frames += n;
      this.#applyFadeIn(out, filled, n);
      if (n < wanted && !segment.ended) {
        if (segment.frames > 0) {
          segment.starved = true;
          segment.underruns += 1;
          for (let i = 0; i < n; i++) out[filled + i] *= 1 - (i + 1) / n;
        }
        return;
      }
      filled += n;
      if (n < wanted) {
        this.segments.shift();
        this.#report(segment, "end");
      }
    }
  }

  #applyFadeIn(out, offset, n) {
    for (let i = 0; i < n && this.fadeIn > 0; i++, this.fadeIn--) {
      out[offset + i] *= 1 - this.fadeIn / this.fadeFrames;
    }
  }

  /** The next few milliseconds of the head response, falling to silence, are played whatever comes after. */
  #fadeOut() {
    const head = this.segments[0];
    if (!head || head.starved || head.frames === 0) return;
    const tail = new Float32Array(this.fadeFrames);
    const n = head.resampler.read(tail, 0, tail.length);
    head.frames += n;
    this.#applyFadeIn(tail, 0, n);
    for (let i = 0; i < n; i++) tail[i] *= 1 - (i + 1) / n;
    this.tail = tail.slice(0, n);
  }

  #played(segment) {
    return Math.min(segment.received, Math.floor((segment.frames * this.sessionRateHz) / this.contextRateHz));
  }

  #report(segment, why) {
    this.framesToReport = REPORT_EVERY_S * this.contextRateHz;
    this.onReport({
      responseId: segment.id,
      nSamples: why === "end" ? segment.received : this.#played(segment),
      underruns: segment.underruns,
      why,
    });
  }
}
