/** The report on the page: score, verdicts, transcript with sound, downloads. */

import { byId, make, show, write } from "./dom.js";
import { points, verdictCard } from "./verdicts.js";

/**
 * @param {object} event the `viva.report`
 * @param {object} state the last `viva.state`
 * @param {Map<number, object>} verdicts the last `viva.verdict` of each question
 * @param {Map<number, string>} stems question texts
 * @param {{who: string, text: string, interrupted: boolean}[]} entries what was said, as the page showed it
 * @param {string} rootUrl address the report's relative URL starts from
 */
export function drawReport(event, { state, verdicts, stems, entries, rootUrl }) {
  const talk = state?.mode === "talk";
  const who = state?.candidate ? `${state.candidate}, you` : "You";
  write("report-what", `${byId("live-title").textContent} · ${state?.mode ?? "viva"}`);
  write("report-title", talk ? "Your conversation" : "Your report");
  const share = event.max_score > 0 ? Math.round((100 * event.score) / event.max_score) : 0;
  write(
    "report-summary",
    talk
      ? "Nothing was marked."
      : event.completed
        ? `${who} scored ${share} % of the marks.`
        : "The viva was ended early; questions not answered got no marks.",
  );
  write("score", talk ? "" : points(event.score));
  write("score-of", talk ? "" : `of ${points(event.max_score)}`);
  drawTranscript(entries.map((entry) => ({ ...entry })));
  byId("report").dataset.held = String(Boolean(event.held));
  if (event.held) {
    drawHeld(talk, new URL(event.url, rootUrl).href);
    return;
  }
  drawVerdicts([...verdicts.values()], stems);
  drawDownloads(event, rootUrl);
  enrich(event, rootUrl);
}

/** Nothing of the marks: educators look at them first. */
function drawHeld(talk, reportUrl) {
  write("report-title", talk ? "Your conversation is over" : "Your viva is over");
  write(
    "report-summary",
    "Your answers are saved. The results have not been published yet: your examiners look at them first. " +
      "Keep the address of your report; it opens once they have.",
  );
  for (const id of ["score", "score-of"]) write(id, "");
  byId("report-verdicts").replaceChildren();
  byId("downloads").replaceChildren(
    make("a", { class: "viva-button", href: reportUrl, target: "_blank", rel: "noopener", text: "Address of your report" }),
  );
}

function drawVerdicts(verdicts, stems) {
  const cards = verdicts
    .sort((a, b) => a.number - b.number)
    .map((verdict) => verdictCard(verdict, { stem: verdict.stem ?? stems.get(verdict.number) }));
  const list = byId("report-verdicts");
  list.replaceChildren(...cards);
  if (cards.length === 0) list.append(make("p", { class: "viva-small", text: "No question was marked." }));
}

/** Address of the same report in another format. @returns {URL} */
function beside(event, rootUrl, extension) {
  const address = new URL(event.url, rootUrl);
  address.pathname = `${address.pathname.replace(/\.html$/, "")}.${extension}`;
  return address;
}

function drawDownloads(event, rootUrl) {
  byId("downloads").replaceChildren(
    make("a", { class: "viva-button viva-primary", href: new URL(event.url, rootUrl).href, target: "_blank", rel: "noopener", text: "Printable report" }),
    make("a", { class: "viva-button", href: beside(event, rootUrl, "json").href, download: "viva-report.json", text: "Download JSON" }),
    make("a", { class: "viva-button", href: beside(event, rootUrl, "csv").href, download: "viva-report.csv", text: "Download CSV" }),
  );
}

function drawTranscript(entries) {
  byId("report-transcript").replaceChildren(
    ...entries.map((entry) =>
      make(
        "li",
        { data: { who: entry.who } },
        make("span", { class: "viva-entry-who", text: entry.who === "examiner" ? "Examiner" : "You" }),
        entry.startS === undefined ? null : playButton(entry),
        make("span", { text: entry.text }),
      ),
    ),
  );
}

let stopListening = null;

function playButton({ startS, endS, who }) {
  const button = make("button", {
    type: "button",
    class: "viva-listen",
    "aria-label": who === "examiner" ? "Listen to the examiner" : "Listen to yourself",
    text: "▶",
  });
  button.addEventListener("click", () => {
    const audio = byId("report-audio");
    clearInterval(stopListening);
    audio.currentTime = startS;
    audio.play();
    stopListening = setInterval(() => {
      if (audio.paused || audio.currentTime >= endS) {
        if (audio.currentTime >= endS) audio.pause();
        clearInterval(stopListening);
      }
    }, 50);
  });
  return button;
}

/** The stored report knows more than the page: questions of an earlier connection, times, the recording. */
async function enrich(event, rootUrl) {
  let stored;
  try {
    const response = await fetch(beside(event, rootUrl, "json"));
    if (!response.ok) return;
    stored = await response.json();
  } catch {
    return; // the page's own account stands
  }
  const recording = stored.audio_url;
  if (recording) {
    byId("report-audio").src = new URL(recording, rootUrl).href;
    show("report-audio");
  }
  const questions = (stored.scenarios ?? []).flatMap((scenario) => scenario.questions);
  const marked = questions.filter((question) => question.verdict);
  if (marked.length > 0) {
    drawVerdicts(
      marked.map((question) => ({ ...question, answer: question.answer.text })),
      new Map(),
    );
    for (const { number, answer } of recording ? marked : []) {
      if (answer.start_s === null || answer.typed) continue;
      const card = byId("report-verdicts").querySelector(`[data-number="${number}"]`);
      card.querySelector(".viva-answer").prepend(playButton({ startS: answer.start_s, endS: answer.end_s, who: "candidate" }));
    }
  }
  if (stored.transcript?.length > 0) {
    drawTranscript(
      stored.transcript.map((turn) => ({
        ...turn,
        text: turn.interrupted ? `${turn.text} — interrupted` : turn.text,
        startS: recording && turn.end_s > turn.start_s ? turn.start_s : undefined,
        endS: turn.end_s,
      })),
    );
  }
}
