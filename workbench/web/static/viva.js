/**
 * The page of a viva: wires sound, socket and drawing together. The page's thread only draws; sound crosses between
 * the worklets and the socket's worker.
 */

import { microphoneAdvice } from "./advice.js";
import { MicrophoneError, Sound } from "./audio.js";
import { MicrophoneCheck } from "./check.js";
import { listen } from "./controls.js";
import { byId, show, write } from "./dom.js";
import { Live } from "./live.js";
import { Log } from "./log.js";
import { forget, remember, remembered } from "./memory.js";
import { hideProblem, problem } from "./problem.js";
import { drawReport } from "./report.js";

const INPUT_RATE_HZ = 16000;
const OUTPUT_RATE_HZ = 24000;
/** Address everything is relative to: this file lies at ROOT/viva/static/VERSION/viva.js. */
const ROOT = new URL("../../../", import.meta.url).href;

class Page {
  constructor() {
    this.sound = new Sound();
    this.check = new MicrophoneCheck(this.sound, (error) => this.microphoneProblem(error, () => this.check.start()));
    this.live = new Live();
    this.log = new Log(byId("log"), () => this.sound.latencyS);
    this.worker = null;
    this.choice = null;
    this.verdicts = new Map();
    this.report = null;
    listen(this);
    this.offerToContinue();
  }

  // ---- starting -------------------------------------------------------------------------------------------------

  /** What the Start button led to: a choice with its ticket, or a refusal. */
  begin(choice) {
    write("start-problem", choice.refused ? choice.message : "");
    show("start-problem", Boolean(choice.refused));
    if (choice.refused === "consent") document.querySelector("#viva-consent-given input")?.focus();
    if (!choice.refused) this.start(choice);
  }

  /** Opens the microphone and the socket. @param {{viva: object, page: {captions: boolean, typed: boolean}}} choice */
  async start(choice) {
    this.choice = choice;
    this.check.abandon();
    this.sound.unlock();
    hideProblem();
    let typed = choice.page.typed;
    if (!typed) {
      try {
        await this.sound.openMicrophone({ deviceId: this.check.deviceId, rateHz: INPUT_RATE_HZ });
      } catch (error) {
        this.microphoneProblem(error, () => this.start(choice));
        return;
      }
    }
    this.live.typedOnly = typed;
    this.live.reset(choice.viva.mode);
    this.log.clear();
    this.verdicts.clear();
    this.report = null;
    this.view("live");
    byId("captions-toggle").checked = choice.page.captions;
    this.drawCaptions();
    const speaker = await this.sound.openSpeaker({ rateHz: OUTPUT_RATE_HZ });
    this.sound.onPosition = (message) => this.heard(message);
    this.sound.onLevel = ({ type, rms }) => type === "level" && this.live.level(rms);
    this.worker?.terminate();
    this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module", name: "viva-socket" });
    this.worker.onmessage = ({ data }) => this.receive(data);
    this.worker.postMessage({ type: "playback", port: speaker }, [speaker]);
    if (!typed) this.giveMicrophone();
    const pcm = (rate) => ({ format: { type: "audio/pcm", rate } });
    this.worker.postMessage({
      type: "start",
      url: `${ROOT.replace(/^http/, "ws")}v1/realtime`,
      session: {
        type: "realtime",
        audio: { input: pcm(INPUT_RATE_HZ), output: pcm(OUTPUT_RATE_HZ) },
        viva: { ...choice.viva, playback: true },
      },
    });
    this.keepAwake();
    byId("floor").scrollIntoView({ block: "nearest" });
  }

  giveMicrophone() {
    const port = this.sound.capturePort();
    this.worker.postMessage({ type: "capture", port }, [port]);
  }

  /** Goes on by keyboard, or starts so where the viva has not begun. */
  typeInstead() {
    hideProblem();
    if (this.view() === "live") {
      this.live.typedOnly = true;
      byId("typed-text").focus();
    } else if (this.choice) {
      this.start({ ...this.choice, page: { ...this.choice.page, typed: true } });
    } else {
      document.querySelector("#viva-typed-only input")?.click();
    }
  }

  offerToContinue() {
    const stored = remembered();
    if (!stored) return;
    const minutes = Math.round((Date.now() - stored.at) / 60000);
    const when = minutes < 1 ? "a moment ago" : minutes === 1 ? "a minute ago" : `${minutes} minutes ago`;
    write("continue-text", `You left a viva in ${stored.title}, question ${stored.number} of ${stored.total}, ${when}.`);
    show("continue");
  }

  // ---- what the worker says -------------------------------------------------------------------------------------

  receive(message) {
    if (message.type === "event") this.event(message.event);
    else if (message.type === "link") this.link(message);
    else if (message.type === "unsent") this.unsent(message.event);
  }

  event(event) {
    switch (event.type) {
      case "viva.state":
        this.state(event);
        break;
      case "viva.queue":
        this.view("queue");
        write("queue-place", event.position === 1 ? "You are next" : `You are number ${event.position} in line`);
        write(
          "queue-text",
          `${event.capacity} vivas are being held at the moment. Keep this page open: yours starts by itself.`,
        );
        break;
      case "viva.question":
        this.live.question(event);
        break;
      case "viva.areas":
        this.live.areas(event.areas, (area) => this.send({ type: "viva.area", area }));
        break;
      case "viva.consent_asked":
        show("consent-card");
        break;
      case "viva.caption":
        this.log.caption(event);
        break;
      case "response.done":
        // the loudspeaker's own word comes first; a response stopped before its first sound has none
        if (event.response.status === "cancelled") setTimeout(() => this.log.finish(event.response.id), 400);
        break;
      case "response.output_audio_transcript.done":
        this.log.transcript(event.response_id, event.transcript);
        break;
      case "conversation.item.input_audio_transcription.delta":
        this.log.partial(event.item_id, event.delta);
        break;
      case "conversation.item.input_audio_transcription.completed":
        this.log.said(event.item_id, event.transcript);
        break;
      case "viva.verdict":
        this.verdict(event);
        break;
      case "viva.report":
        this.report = event;
        this.showReport();
        break;
      case "viva.notice":
        this.live.notice(event.message);
        break;
      case "error":
        this.serverError(event.error);
        break;
    }
  }

  state(state) {
    if (this.view() === "queue") this.view("live");
    this.live.update(state);
    if (state.floor === "closed" || state.phase === "done") {
      forget();
    } else {
      remember({ state, choice: this.choice, title: byId("live-title").textContent });
    }
    const dialog = byId("end-dialog");
    if (state.phase === "confirm_stop" && !dialog.open) dialog.showModal();
    const asked = dialog.dataset.confirmed === "asked" && state.phase !== "done";
    if (state.phase !== "confirm_stop" && dialog.open && !asked) dialog.close();
    if (state.phase === "confirm_stop") dialog.dataset.confirmed = "";
    if (state.floor === "closed") {
      this.sound.closeMicrophone();
      this.showReport();
    }
  }

  verdict(event) {
    const known = this.verdicts.has(event.number);
    this.verdicts.set(event.number, event);
    const card = this.live.verdict(event);
    if (this.view() === "report") this.showReport();
    else if (this.live.state?.mode === "practice" && !known) {
      this.log.element.append(card);
      this.log.follow();
    }
  }

  /** The report appears once it is there and the examiner has said goodbye. */
  showReport() {
    if (!this.report) return;
    const { state } = this.live;
    if (state && state.floor !== "closed" && this.sound.context?.state === "running" && this.speaking) return;
    drawReport(this.report, {
      state,
      verdicts: this.verdicts,
      stems: this.live.stems,
      entries: this.log.entries(),
      rootUrl: ROOT,
    });
    const first = this.view() !== "report";
    this.view("report");
    if (first) {
      byId("report-title").focus({ preventScroll: true });
      window.scrollTo({ top: 0 });
    }
    this.sound.closeMicrophone();
    this.wakeLock?.release().catch(() => {});
    forget();
  }

  serverError(error) {
    if (error.param === "session.viva.resume") {
      forget();
      this.end("setup");
      problem("This viva cannot be continued", `${error.message} Start a new one below.`);
    } else if (!this.live.state) {
      this.end("setup");
      problem("The viva could not be opened", error.message);
    } else {
      this.live.notice(error.message);
    }
  }

  link({ state, seconds, resumed, reason }) {
    const line = byId("link");
    line.dataset.state = state;
    const say = (text) => {
      write("link", text);
      show("link", Boolean(text));
    };
    if (state === "connecting") this.live.drawFloor("connecting");
    else if (state === "open") {
      say(resumed ? "Connected again. The viva goes on where it was." : "");
      if (resumed) setTimeout(() => line.dataset.state === "open" && say(""), 6000);
    } else if (state === "lost") {
      if (this.view() === "live") this.log.remark("The connection was lost.");
      say(`The connection is lost. Nothing you said is gone; trying again in ${Math.max(1, Math.round(seconds))} s.`);
      this.live.drawFloor("connecting");
    } else if (state === "reconnecting") {
      say("The connection is lost. Trying again now.");
    } else if (state === "gone") {
      problem("The server does not answer", "Check your network, then try again. Your answers so far are kept.", () =>
        this.worker.postMessage({ type: "retry" }),
      );
    } else if (state === "refused") {
      this.end("setup");
      const title = this.live.state ? "The viva was closed here" : "The viva could not be opened";
      problem(title, reason || "The ticket was not accepted. Reload the page and start again.");
    } else if (state === "closed") {
      say("");
      if (this.report) this.showReport();
      else if (this.view() !== "setup") this.end("setup");
    }
  }

  /** Playback news from the loudspeaker. */
  heard(message) {
    if (message.type === "position") {
      this.speaking = message.playing;
      if (message.responseId) this.log.position(message.responseId, message.nSamples, message.playing);
    } else if (message.type === "edge") {
      if (message.why === "pause") this.log.position(message.responseId, message.nSamples, false);
      else this.log.finish(message.responseId, message.nSamples);
      if (message.why === "end") this.speaking = false;
    }
    if (!this.speaking && this.report && this.view() === "live") this.showReport();
  }

  // ---- what the candidate does ----------------------------------------------------------------------------------

  send(event) {
    this.worker?.postMessage({ type: "send", event });
  }

  command(command) {
    this.send({ type: "viva.command", command });
    this.sound.unlock();
  }

  typed(text) {
    const id = `item_typed_${Date.now().toString(36)}`;
    const content = [{ type: "input_text", text }];
    this.send({ type: "conversation.item.create", item: { type: "message", role: "user", id, content } });
    this.send({ type: "response.create" });
    this.log.said(id, text);
  }

  /** An event the socket did not take; a typed answer goes back to where it was typed. */
  unsent(event) {
    if (event.type === "conversation.item.create") {
      const box = byId("typed-text");
      const [{ text }] = event.item.content;
      box.value = box.value ? `${text}\n${box.value}` : text;
      this.log.said(event.item.id, "");
    }
    this.live.notice("Not sent: there is no connection. Try again in a moment.");
  }

  askEnd() {
    const dialog = byId("end-dialog");
    if (dialog.open) return;
    dialog.dataset.confirmed = "asked";
    dialog.showModal();
    // a conversation ends at "stop" without asking back
    if (this.live.state?.mode !== "talk") this.command("stop");
  }

  end(view) {
    this.worker?.postMessage({ type: "stop" });
    this.sound.closeMicrophone();
    this.sound.closeSpeaker();
    this.wakeLock?.release().catch(() => {});
    this.view(view);
  }

  closeEnd(command) {
    const dialog = byId("end-dialog");
    dialog.dataset.confirmed = "";
    dialog.close();
    this.command(command);
  }

  consent(given) {
    this.send({ type: "viva.consent", given });
    show("consent-card", false);
  }

  resume() {
    const stored = remembered();
    show("continue", false);
    if (!stored) return;
    this.start({ ...stored.choice, viva: { ...stored.choice.viva, resume: stored.token } });
  }

  async reopenMicrophone() {
    try {
      await this.sound.openMicrophone({ rateHz: INPUT_RATE_HZ });
      this.giveMicrophone();
      hideProblem();
    } catch (error) {
      this.microphoneProblem(error, () => this.reopenMicrophone());
    }
  }

  microphoneProblem(error, retry) {
    const { title, text } = microphoneAdvice(error instanceof MicrophoneError ? error.reason : "unknown");
    problem(title, text, retry, true);
  }

  // ---- drawing --------------------------------------------------------------------------------------------------

  /** Which part of the page is shown; without an argument, which one is. */
  view(name) {
    const panel = byId("panel");
    if (name && panel.dataset.view !== name) {
      panel.dataset.view = name;
      document.body.dataset.viva = name;
      for (const part of ["check", "queue", "live", "report"]) show(part, part === (name === "setup" ? "check" : name));
      if (name !== "setup") show("continue", false);
    }
    return panel.dataset.view;
  }

  drawCaptions() {
    byId("log").classList.toggle("viva-captions-off", !byId("captions-toggle").checked);
  }

  async keepAwake() {
    try {
      this.wakeLock = await navigator.wakeLock?.request("screen");
    } catch {
      // a screen that dims is no reason to stop
    }
  }
}

let page = null;

/** Called once the panel is in the document. */
export function mount() {
  if (page) return page;
  page = new Page();
  window.viva = page;
  document.body.dataset.viva = "setup";
  return page;
}
