/** The microphone check: a meter, a test sentence, its playback and a verdict. */

import { byId, make, show, write } from "./dom.js";
import { decibels, FLOOR_DB, judgeLevels } from "./levels.js";

const TEST_S = 6;
const RATE_HZ = 16000;

export class MicrophoneCheck {
  /**
   * @param {import("./audio.js").Sound} sound
   * @param {(error: Error) => void} onError
   */
  constructor(sound, onError) {
    this.sound = sound;
    this.onError = onError;
    this.deviceId = undefined;
    this.clip = null;
    this.timer = null;
    byId("check-start").addEventListener("click", () => (this.timer ? this.finish() : this.start()));
    byId("check-play").addEventListener("click", () => this.play());
    byId("device").addEventListener("change", (event) => {
      this.deviceId = event.target.value;
      write("check-verdict", "");
    });
  }

  async start() {
    this.sound.unlock();
    try {
      await this.sound.openMicrophone({ deviceId: this.deviceId, rateHz: RATE_HZ });
    } catch (error) {
      this.onError(error);
      return;
    }
    await this.listDevices();
    const frames = [];
    const levels = [];
    this.recording = { frames, levels };
    this.sound.onLevel = (level) => {
      if (level.type !== "level") return;
      levels.push(level);
      drawMeter(level);
    };
    this.port = this.sound.capturePort();
    this.port.onmessage = ({ data }) => frames.push(data.pcm);
    byId("check-verdict").dataset.verdict = "";
    write("check-verdict", "Listening. Say the sentence now.");
    write("check-start", "Stop");
    show("check-play", false);
    this.timer = setTimeout(() => this.finish(), TEST_S * 1000);
  }

  finish() {
    clearTimeout(this.timer);
    this.timer = null;
    this.sound.closeMicrophone();
    this.sound.onLevel = () => {};
    write("check-start", "Test again");
    drawMeter({ rms: 0, peak: 0 });
    const { frames, levels } = this.recording;
    const { verdict, text } = judgeLevels(levels);
    byId("check-verdict").dataset.verdict = verdict;
    write("check-verdict", text);
    this.clip = new Float32Array(frames.reduce((n, frame) => n + frame.length, 0));
    let at = 0;
    for (const frame of frames) for (const value of frame) this.clip[at++] = value / 32768;
    show("check-play", this.clip.length > 0);
  }

  /** Ends a running test without a verdict, when the viva starts. */
  abandon() {
    if (this.timer) this.finish();
  }

  async play() {
    const button = byId("check-play");
    button.disabled = true;
    await this.sound.playClip(this.clip, RATE_HZ);
    button.disabled = false;
  }

  async listDevices() {
    const devices = (await navigator.mediaDevices.enumerateDevices()).filter((one) => one.kind === "audioinput");
    const used = this.sound.stream?.getAudioTracks()[0]?.getSettings().deviceId;
    byId("device").replaceChildren(
      ...devices.map((device, i) =>
        make("option", {
          value: device.deviceId,
          text: device.label || `Microphone ${i + 1}`,
          selected: device.deviceId === (this.deviceId ?? used),
        }),
      ),
    );
    show("device-field", devices.length > 1);
  }
}

function drawMeter({ rms, peak }) {
  const share = (value) => Math.max(0, Math.min(1, (decibels(value) - FLOOR_DB) / -FLOOR_DB));
  const meter = byId("meter");
  const level = Math.max(FLOOR_DB, Math.round(decibels(rms)));
  byId("meter-fill").style.transform = `scaleX(${share(rms)})`;
  byId("meter-peak").style.left = `${100 * share(peak)}%`;
  meter.dataset.zone = level > -9 ? "loud" : level > -42 ? "good" : "quiet";
  meter.setAttribute("aria-valuenow", String(level));
  meter.setAttribute("aria-valuetext", level <= FLOOR_DB ? "no sound" : `${level} decibels`);
}
