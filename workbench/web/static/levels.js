/** What a test recording says about the microphone. Levels are decibels below full scale (dBFS). */

export const FLOOR_DB = -60;
const TOO_QUIET_DB = -42;
const NOTHING_DB = -55;
const CLIPPED_SHARE = 0.001;
const TOO_NOISY_DB = 10;

/** @param {number} amplitude linear, full scale is 1 */
export function decibels(amplitude) {
  return amplitude > 0 ? 20 * Math.log10(amplitude) : -Infinity;
}

function quantile(sorted, q) {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

/**
 * Judges a recorded test sentence.
 * @param {{rms: number, peak: number, clipped: number, n: number}[]} levels one entry per 50 ms
 * @returns {{verdict: "nothing"|"quiet"|"clipping"|"noisy"|"good", text: string, speechDb: number, noiseDb: number}}
 */
export function judgeLevels(levels) {
  const loudness = levels.map((level) => decibels(level.rms)).sort((a, b) => a - b);
  const speechDb = loudness.length ? quantile(loudness, 0.85) : -Infinity;
  const noiseDb = loudness.length ? Math.max(-90, quantile(loudness, 0.05)) : -90;
  const samples = levels.reduce((sum, level) => sum + level.n, 0);
  const clipped = levels.reduce((sum, level) => sum + level.clipped, 0) / Math.max(1, samples);
  const result = (verdict, text) => ({ verdict, text, speechDb, noiseDb });
  if (speechDb < NOTHING_DB) {
    return result("nothing", "No voice was heard. Is the right microphone chosen, and is it switched on?");
  }
  if (clipped > CLIPPED_SHARE) {
    return result("clipping", "Too loud: the sound is clipped. Move back a little, or turn the microphone down.");
  }
  if (speechDb < TOO_QUIET_DB) {
    return result("quiet", "Too quiet. Move closer, speak up, or raise the microphone's level.");
  }
  if (speechDb - noiseDb < TOO_NOISY_DB) {
    return result("noisy", "Your voice hardly stands out from the noise. Find a quieter place, or use a headset.");
  }
  return result("good", "Good: you can be heard clearly.");
}
