/** Hosts the playback queue on the audio thread; sound comes from the socket's worker, never through the page. */

import { PlaybackQueue } from "./player.js";

const POSITION_EVERY_FRAMES = 1024;

class PlaybackProcessor extends AudioWorkletProcessor {
  constructor(options) {
    super();
    this.socketPort = null;
    this.framesToPosition = 0;
    this.wasPlaying = false;
    this.queue = new PlaybackQueue(sampleRate, options.processorOptions.sessionRateHz, (report) => {
      this.socketPort?.postMessage({ type: "played", ...report });
      if (report.why !== "tick") this.port.postMessage({ type: "edge", ...report });
    });
    this.port.onmessage = ({ data }) => {
      if (data.type === "port") {
        this.socketPort = data.port;
        this.socketPort.onmessage = (message) => this.obey(message.data);
      } else {
        this.obey(data);
      }
    };
  }

  obey(message) {
    if (message.type === "audio") this.queue.enqueue(message.responseId, message.samples);
    else if (message.type === "end") this.queue.end(message.responseId);
    else if (message.type === "pause") this.queue.pause();
    else if (message.type === "resume") this.queue.resume();
    else if (message.type === "clear") this.queue.clear(message.responseId ?? null);
  }

  process(_inputs, outputs) {
    const channels = outputs[0];
    this.queue.render(channels[0]);
    for (let c = 1; c < channels.length; c++) channels[c].set(channels[0]);
    this.framesToPosition -= channels[0].length;
    if (this.framesToPosition <= 0) {
      this.framesToPosition = POSITION_EVERY_FRAMES;
      const { playing } = this.queue;
      if (playing || this.wasPlaying) {
        this.port.postMessage({ type: "position", playing, paused: this.queue.paused, ...this.queue.position() });
      }
      this.wasPlaying = playing;
    }
    return true;
  }
}

registerProcessor("viva-playback", PlaybackProcessor);
