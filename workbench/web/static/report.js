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
  drawVerdicts([...verdicts.values()], stems);
  drawTranscript(entries.map((entry) => ({ ...entry })));
  drawDownloads(event, rootUrl);
  enrich(event, rootUrl);
}

function drawVerdicts(verdicts, stems) {
  const cards = verdicts
    .sort((a, b) => a.number - b.number)
    .map((verdict) => verdictCard(verdict, { stem: verdict.stem ?? stems.get(verdict.number) }));
  const list = byId("report-verdicts");
  list.replaceChildren(...cards);
  if (cards.length === 0) list.append(make("p", { class: "viva-small", text: "No question was marked." }));
}

function drawDownloads(event, rootUrl) {
  const base = new URL(event.url, rootUrl).href;
  const [path, query] = base.split("?");
  const beside = (extension) => `${path}.${extension}${query ? `?${query}` : ""}`;
  byId("downloads").replaceChildren(
    make("a", { class: "viva-button viva-primary", href: base, target: "_blank", rel: "noopener", text: "Printable report" }),
    make("a", { class: "viva-button", href: beside("json"), download: "viva-report.json", text: "Download JSON" }),
    make("a", { class: "viva-button", href: beside("csv"), download: "viva-report.csv", text: "Download CSV" }),
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

function playButton({ startS, who }) {
  const button = make("button", {
    type: "button",
    class: "viva-listen",
    "aria-label": `Listen from here, ${who === "examiner" ? "examiner" : "you"}`,
    text: "▶",
  });
  button.addEventListener("click", () => {
    const audio = byId("report-audio");
    audio.currentTime = startS;
    audio.play();
  });
  return button;
}

/** The stored report knows more than the page: verdicts of an earlier connection, times, the recording. */
async function enrich(event, rootUrl) {
  let stored;
  try {
    const address = new URL(event.url, rootUrl);
    address.pathname += ".json";
    const response = await fetch(address);
    if (!response.ok) return;
    stored = await response.json();
  } catch {
    return; // the page's own account stands
  }
  const turns = stored.transcript ?? stored.turns;
  if (Array.isArray(turns) && turns.length > 0) {
    drawTranscript(
      turns.map((turn) => ({
        who: turn.speaker ?? turn.who,
        text: turn.text,
        startS: stored.audio_url && typeof turn.start_s === "number" ? turn.start_s : undefined,
      })),
    );
  }
  if (stored.audio_url) {
    byId("report-audio").src = new URL(stored.audio_url, rootUrl).href;
    show("report-audio");
  }
}
