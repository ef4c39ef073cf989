/** Draws the viva as it runs: who has the floor, the question, progress, the clock. */

import { byId, clock, make, show, write } from "./dom.js";
import { points, VERDICT_NAMES, verdictCard, verdictSign } from "./verdicts.js";

const MODES = { practice: "Practice: feedback after each answer", exam: "Exam: feedback at the end", talk: "Free conversation" };
const FLOORS = {
  connecting: ["Connecting", "One moment."],
  examiner: ["The examiner is speaking", "You may interrupt at any time."],
  candidate: ["Your turn", "The examiner is listening. Take the time you need."],
  thinking: ["The examiner is thinking", "Your answer was heard."],
  paused: ["Paused", "The clock has stopped. Press Resume, or say so, when you are ready."],
  closed: ["The viva is over", "Your report follows."],
};
const NOTICE_S = 12;

export class Live {
  constructor() {
    this.state = null;
    this.receivedAt = 0;
    this.marks = new Map();
    this.stems = new Map();
    this.typedOnly = false;
    this.noticeTimer = null;
    setInterval(() => this.drawClock(), 250);
  }

  /** @param {string | undefined} mode what was chosen, as far as that is known */
  reset(mode) {
    this.state = null;
    this.marks.clear();
    this.stems.clear();
    for (const id of ["question-card", "consent-card", "areas-card", "notice", "link"]) show(id, false);
    byId("progress-marks").replaceChildren();
    write("progress-text", "Not started");
    this.drawControls(mode);
    this.drawFloor("connecting");
  }

  /** @param {object} state a `viva.state` */
  update(state) {
    const before = this.state;
    this.state = state;
    this.receivedAt = performance.now();
    const about = state.mode === "talk" ? null : state.area; // free conversation asks nothing about an area
    write("live-title", titleOf(about || state.discipline));
    write("live-mode", MODES[state.mode] + (state.recording ? " · recorded" : " · not recorded"));
    this.drawFloor(state.floor);
    this.drawProgress();
    this.drawControls(state.mode);
    this.drawClock();
    show("end-marked", state.mode !== "talk");
    show("end-talk", state.mode === "talk");
    const paused = state.floor === "paused" || state.phase === "paused";
    const pause = byId("pause");
    pause.dataset.command = paused ? "resume" : "pause";
    pause.querySelector("span").textContent = paused ? "Resume" : "Pause";
    if (before && before.phase !== state.phase) {
      if (state.phase !== "consent") show("consent-card", false);
      if (state.phase !== "area") show("areas-card", false);
    }
  }

  drawFloor(floor) {
    byId("floor").dataset.floor = floor;
    byId("floor").dataset.typed = String(this.typedOnly);
    const [who, hint] = FLOORS[floor];
    write("floor-who", who);
    write("floor-hint", floor === "candidate" && this.typedOnly ? "Type your answer below." : hint);
  }

  /** What is there for questions is not shown in free conversation, which has none. */
  drawControls(mode) {
    for (const part of document.querySelectorAll("#viva-live [data-exam]")) part.hidden = mode === "talk";
  }

  drawProgress() {
    const { number, total, mode } = this.state;
    if (mode === "talk") {
      write("progress-text", "");
      return;
    }
    write("progress-text", number > 0 ? `Question ${number} of ${total}` : `${total} questions`);
    const list = byId("progress-marks");
    while (list.children.length < total) list.append(make("li"));
    while (list.children.length > total) list.lastChild.remove();
    [...list.children].forEach((item, i) => {
      const mark = this.marks.get(i + 1);
      item.dataset.state = mark ?? (i + 1 === number ? "now" : i + 1 < number ? "done" : "ahead");
      item.textContent = mark ? verdictSign(mark) : "";
    });
  }

  drawClock() {
    const { state } = this;
    if (!state || state.deadline_s === null) {
      write("timer", "–:––");
      byId("clock").dataset.urgent = "false";
      return;
    }
    const running = state.floor !== "paused" && state.floor !== "closed";
    const since = running ? (performance.now() - this.receivedAt) / 1000 : 0;
    const left = state.deadline_s - state.elapsed_s - since;
    write("timer", clock(left));
    byId("clock").dataset.urgent = String(left <= 30);
  }

  question(event) {
    this.stems.set(event.number, event.stem);
    write("scenario-title", event.scenario_title);
    write("scenario", event.scenario);
    write("question-number", `${event.number} of ${event.total}`);
    write("stem", event.stem);
    show("question-card");
  }

  /** A mark; the card goes beside what was said. @returns {HTMLElement} */
  verdict(event) {
    this.marks.set(event.number, event.verdict);
    if (this.state) this.drawProgress();
    const card = verdictCard(event, { stem: this.stems.get(event.number) });
    card.setAttribute("aria-label", `${VERDICT_NAMES[event.verdict]}, ${points(event.points)} of 10 points`);
    return card;
  }

  areas(areas, choose) {
    byId("areas").replaceChildren(
      ...areas.map(({ key, title }) => {
        const button = make("button", { type: "button", class: "viva-button", text: title });
        button.addEventListener("click", () => {
          show("areas-card", false);
          choose(key);
        });
        return button;
      }),
    );
    show("areas-card");
  }

  notice(text) {
    clearTimeout(this.noticeTimer);
    write("notice", text);
    show("notice");
    this.noticeTimer = setTimeout(() => show("notice", false), NOTICE_S * 1000);
  }

  level(rms) {
    const share = Math.min(1, Math.sqrt(rms) * 1.8);
    byId("floor").style.setProperty("--level", share.toFixed(3));
  }
}

/** `acute_coronary` as a heading, where no better title is known. */
function titleOf(key) {
  const known = document.querySelector(`#viva-titles [data-key="${CSS.escape(key)}"]`);
  const words = known?.textContent ?? key.replaceAll(/[_-]/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
