/** Cuts the microphone into PCM16 frames at the session's rate; they go straight to the socket's worker. */

import { Resampler } from "./resampler.js";

const FRAME_S = 0.02;
const LEVEL_EVERY_S = 0.05;
const CLIPPED = 0.99;

class CaptureProcessor extends AudioWorkletProcessor {
  constructor(options) {
    super();
    const rateHz = options.processorOptions.sessionRateHz;
    this.resampler = new Resampler(sampleRate, rateHz);
    this.frame = new Float32Array(Math.round(FRAME_S * rateHz));
    this.silence = new Float32Array(128);
    this.frameNumber = 0;
    this.sinks = [];
    this.level = { n: 0, sum: 0, peak: 0, clipped: 0 };
    this.port.onmessage = ({ data }) => {
      if (data.type === "add") this.sinks.push(data.port);
      else if (data.type === "reset") this.sinks = [];
      else if (data.type === "stop") this.stopped = true;
    };
  }

  process(inputs) {
    if (this.stopped) return false;
    const samples = this.mono(inputs[0]);
    this.measure(samples);
    this.resampler.push(samples);
    while (this.resampler.available() >= this.frame.length) {
      this.resampler.read(this.frame, 0, this.frame.length);
      this.emit();
    }
    return true;
  }

  /** A muted or vanished microphone counts as silence: the clock of the exam is the samples that arrive. */
  mono(channels) {
    if (!channels || channels.length === 0) return this.silence;
    if (channels.length === 1) return channels[0];
    const mixed = new Float32Array(channels[0].length);
    for (const channel of channels) {
      for (let i = 0; i < mixed.length; i++) mixed[i] += channel[i] / channels.length;
    }
    return mixed;
  }

  emit() {
    for (const sink of this.sinks) {
      const pcm = new Int16Array(this.frame.length);
      for (let i = 0; i < pcm.length; i++) {
        pcm[i] = Math.max(-32768, Math.min(32767, Math.round(this.frame[i] * 32767)));
      }
      sink.postMessage({ type: "frame", number: this.frameNumber, pcm }, [pcm.buffer]);
    }
    this.frameNumber += 1;
  }

  measure(samples) {
    const { level } = this;
    for (const sample of samples) {
      const size = Math.abs(sample);
      level.sum += sample * sample;
      if (size > level.peak) level.peak = size;
      if (size >= CLIPPED) level.clipped += 1;
    }
    level.n += samples.length;
    if (level.n >= LEVEL_EVERY_S * sampleRate) {
      const rms = Math.sqrt(level.sum / level.n);
      this.port.postMessage({ type: "level", rms, peak: level.peak, clipped: level.clipped, n: level.n });
      this.level = { n: 0, sum: 0, peak: 0, clipped: 0 };
    }
  }
}

registerProcessor("viva-capture", CaptureProcessor);
