/**
 * Microphone and loudspeaker: one AudioContext, one capture and one playback node.
 *
 * The context runs at the device's own rate; the worklets convert. Where the page is not served securely there are
 * neither microphones nor worklets: the examiner is then heard through a script processor, and answers are typed.
 */

import { PlaybackQueue } from "./player.js";

const here = (name) => new URL(name, import.meta.url).href;

export class MicrophoneError extends Error {
  /** @param {"insecure"|"blocked"|"denied"|"absent"|"busy"|"unknown"} reason */
  constructor(reason, cause) {
    super(reason, { cause });
    this.reason = reason;
  }
}

/** Why a microphone could not be opened, from the browser's exception. */
export function reasonOf(error) {
  const name = error?.name ?? "";
  if (name === "NotAllowedError" || name === "SecurityError") return frameForbids() ? "blocked" : "denied";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "absent";
  if (name === "NotReadableError" || name === "AbortError") return "busy";
  return "unknown";
}

function frameForbids() {
  const policy = document.permissionsPolicy ?? document.featurePolicy;
  return window.self !== window.top && policy?.allowsFeature?.("microphone") === false;
}

export class Sound {
  constructor() {
    this.context = null;
    this.stream = null;
    this.captureNode = null;
    this.playbackNode = null;
    this.ready = null;
    this.onLevel = () => {};
    this.onPosition = () => {};
    this.onInterrupted = () => {};
    this.onMicrophoneLost = () => {};
  }

  /** To be called inside a click or key press: Safari starts sound from nowhere else. */
  unlock() {
    if (!this.context) {
      this.context = new AudioContext({ latencyHint: "interactive" });
      this.context.onstatechange = () => this.onInterrupted(this.context.state !== "running");
      const { audioWorklet } = this.context;
      this.ready = audioWorklet
        ? Promise.all(["capture-worklet.js", "playback-worklet.js"].map((name) => audioWorklet.addModule(here(name))))
        : Promise.resolve();
    }
    if (this.context.state !== "running") this.context.resume().catch(() => {});
  }

  /** Milliseconds between handing a sample to the system and hearing it, as far as the browser knows. */
  get latencyS() {
    return (this.context?.outputLatency || 0) + (this.context?.baseLatency || 0);
  }

  /**
   * Opens the microphone.
   * @param {{deviceId?: string, rateHz: number}} options
   * @throws {MicrophoneError}
   */
  async openMicrophone({ deviceId, rateHz }) {
    if (!navigator.mediaDevices?.getUserMedia) throw new MicrophoneError("insecure");
    this.unlock();
    const wanted = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: deviceId ? { ...wanted, deviceId: { exact: deviceId } } : wanted,
      });
    } catch (error) {
      if (deviceId && error?.name === "OverconstrainedError") return this.openMicrophone({ rateHz });
      throw new MicrophoneError(reasonOf(error), error);
    }
    await this.ready;
    this.closeMicrophone();
    this.stream = stream;
    const [track] = stream.getAudioTracks();
    track.onended = () => this.onMicrophoneLost();
    this.source = this.context.createMediaStreamSource(stream);
    this.captureNode = new AudioWorkletNode(this.context, "viva-capture", {
      numberOfInputs: 1,
      numberOfOutputs: 1,
      processorOptions: { sessionRateHz: rateHz },
    });
    this.captureNode.port.onmessage = ({ data }) => this.onLevel(data);
    this.source.connect(this.captureNode);
    // the node writes silence; without a path to the destination some browsers do not run it
    this.captureNode.connect(this.context.destination);
    return track.label;
  }

  /** A port on which frames of 20 ms PCM16 arrive. @returns {MessagePort} */
  capturePort() {
    const channel = new MessageChannel();
    this.captureNode.port.postMessage({ type: "add", port: channel.port1 }, [channel.port1]);
    return channel.port2;
  }

  closeMicrophone() {
    this.captureNode?.port.postMessage({ type: "stop" });
    this.captureNode?.disconnect();
    this.source?.disconnect();
    for (const track of this.stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.captureNode = this.source = this.stream = null;
  }

  /** Opens the loudspeaker; sound is sent to the returned port. @returns {Promise<MessagePort>} */
  async openSpeaker({ rateHz }) {
    await this.ready;
    this.closeSpeaker();
    const channel = new MessageChannel();
    if (this.context.audioWorklet) {
      this.playbackNode = new AudioWorkletNode(this.context, "viva-playback", {
        numberOfInputs: 0,
        numberOfOutputs: 1,
        outputChannelCount: [2],
        processorOptions: { sessionRateHz: rateHz },
      });
      this.playbackNode.port.onmessage = ({ data }) => this.onPosition(data);
      this.playbackNode.port.postMessage({ type: "port", port: channel.port1 }, [channel.port1]);
    } else {
      this.playbackNode = this.scriptSpeaker(rateHz, channel.port1);
    }
    this.playbackNode.connect(this.context.destination);
    return channel.port2;
  }

  /** The same queue on the page's own thread, for pages without worklets. */
  scriptSpeaker(rateHz, port) {
    const node = this.context.createScriptProcessor(2048, 0, 1);
    const queue = new PlaybackQueue(this.context.sampleRate, rateHz, (report) => {
      port.postMessage({ type: "played", ...report });
      if (report.why !== "tick") this.onPosition({ type: "edge", ...report });
    });
    port.onmessage = ({ data }) => {
      if (data.type === "audio") queue.enqueue(data.responseId, data.samples);
      else if (data.type === "clear") queue.clear(data.responseId ?? null);
      else if (data.type === "end") queue.end(data.responseId);
      else queue[data.type]?.();
    };
    node.onaudioprocess = (event) => {
      queue.render(event.outputBuffer.getChannelData(0));
      this.onPosition({ type: "position", playing: queue.playing, paused: queue.paused, ...queue.position() });
    };
    return node;
  }

  closeSpeaker() {
    this.playbackNode?.disconnect();
    this.playbackNode = null;
  }

  /** Plays a clip at once. @param {Float32Array} samples @param {number} rateHz */
  playClip(samples, rateHz) {
    this.unlock();
    const buffer = this.context.createBuffer(1, samples.length, rateHz);
    buffer.copyToChannel(samples, 0);
    const node = this.context.createBufferSource();
    node.buffer = buffer;
    node.connect(this.context.destination);
    node.start();
    return new Promise((resolve) => {
      node.onended = resolve;
    });
  }
}
