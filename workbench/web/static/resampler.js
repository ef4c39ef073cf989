/**
 * Streaming sample-rate conversion by a polyphase windowed-sinc filter.
 *
 * Output sample k sits at input time k * M / L, L / M = outRate / inRate in lowest terms, so a stream of any length
 * stays aligned: no drift and no accumulated rounding. The filter looks `half` input samples ahead (about 1.5 ms of the
 * slower rate); `end()` supplies zeros for the last of them.
 *
 * Filter: sinc under a Kaiser window, beta 8, which puts the stop band about 80 dB down (Oppenheim and Schafer,
 * Discrete-Time Signal Processing, section 7.5.3).
 */

const ZERO_CROSSINGS = 24;
const ROLLOFF = 0.92;
const KAISER_BETA = 8;

/** Greatest common divisor of two positive integers. */
function gcd(a, b) {
  while (b) [a, b] = [b, a % b];
  return a;
}

/** Modified Bessel function of the first kind, order zero, by its power series. */
function besselI0(x) {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > 1e-12 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** One Float32Array of `2 * half` taps per phase; every phase sums to 1, so that a constant stays constant. */
function makePhases(phases, half, cutoff) {
  const table = [];
  const norm = besselI0(KAISER_BETA);
  for (let phase = 0; phase < phases; phase++) {
    const taps = new Float64Array(2 * half);
    let sum = 0;
    for (let i = 0; i < taps.length; i++) {
      const distance = i - (half - 1) - phase / phases;
      const edge = distance / half;
      const window = Math.abs(edge) >= 1 ? 0 : besselI0(KAISER_BETA * Math.sqrt(1 - edge * edge)) / norm;
      const x = Math.PI * cutoff * distance;
      taps[i] = (x === 0 ? 1 : Math.sin(x) / x) * window;
      sum += taps[i];
    }
    table.push(Float32Array.from(taps, (tap) => tap / sum));
  }
  return table;
}

export class Resampler {
  /**
   * @param {number} inRateHz
   * @param {number} outRateHz
   */
  constructor(inRateHz, outRateHz) {
    const inRate = Math.round(inRateHz);
    const outRate = Math.round(outRateHz);
    if (!(inRate > 0) || !(outRate > 0)) {
      throw new RangeError(`rates must be positive, got ${inRateHz} and ${outRateHz}`);
    }
    const divisor = gcd(inRate, outRate);
    this.up = outRate / divisor;
    this.down = inRate / divisor;
    this.identity = this.up === this.down;
    const slower = Math.min(1, outRate / inRate);
    this.half = this.identity ? 1 : Math.ceil(ZERO_CROSSINGS / slower);
    this.taps = this.identity ? null : makePhases(this.up, this.half, slower * ROLLOFF);
    this.buffer = new Float32Array(8192);
    // zeros before the first sample let output 0 sit exactly on input 0
    this.start = 0;
    this.length = this.identity ? 0 : this.half - 1;
    this.phase = 0;
  }

  /** Takes more input. @param {Float32Array} samples */
  push(samples) {
    this.#reserve(samples.length);
    this.buffer.set(samples, this.start + this.length);
    this.length += samples.length;
  }

  /** Lets the last samples out: after this no more input follows. */
  end() {
    if (!this.identity) this.push(new Float32Array(this.half));
  }

  /** Output samples that can be read now. */
  available() {
    if (this.identity) return this.length;
    const spare = this.length - 2 * this.half;
    if (spare < 0) return 0;
    return Math.floor((spare * this.up + (this.up - 1 - this.phase)) / this.down) + 1;
  }

  /**
   * Writes up to `count` output samples into `out` from `offset`.
   * @returns {number} how many were written
   */
  read(out, offset, count) {
    const n = Math.min(count, this.available());
    if (this.identity) {
      out.set(this.buffer.subarray(this.start, this.start + n), offset);
      this.#drop(n);
      return n;
    }
    const width = 2 * this.half;
    for (let k = 0; k < n; k++) {
      const taps = this.taps[this.phase];
      const from = this.start;
      let sum = 0;
      for (let i = 0; i < width; i++) sum += taps[i] * this.buffer[from + i];
      out[offset + k] = sum;
      this.phase += this.down;
      const whole = Math.floor(this.phase / this.up);
      this.phase -= whole * this.up;
      this.#drop(whole);
    }
    return n;
  }

  #drop(n) {
    this.start += n;
    this.length -= n;
  }

  #reserve(more) {
    if (this.start + this.length + more <= this.buffer.length) return;
    const needed = this.length + more;
    const target = needed * 2 > this.buffer.length ? new Float32Array(needed * 2) : this.buffer;
    if (target === this.buffer) target.copyWithin(0, this.start, this.start + this.length);
    else target.set(this.buffer.subarray(this.start, this.start + this.length));
    this.buffer = target;
    this.start = 0;
  }
}
