/** An answer's mark, drawn the same way in practice mode and in the report. */

import { make } from "./dom.js";

export const VERDICT_NAMES = { correct: "Correct", partial: "Partly correct", incorrect: "Incorrect" };
const VERDICT_SIGNS = { correct: "✓", partial: "◐", incorrect: "✕" };
const POINT_NAMES = { covered: "Said", missing: "Missing", contradicted: "Contradicted" };
const POINT_SIGNS = { covered: "✓", missing: "–", contradicted: "✕" };

/** Points without a needless decimal: `7.5`, `10`. */
export function points(value) {
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}

export function verdictSign(verdict) {
  return VERDICT_SIGNS[verdict];
}

/**
 * @param {object} event a `viva.verdict`
 * @param {{stem?: string, open?: boolean}} options
 */
export function verdictCard(event, { stem, open = false } = {}) {
  const summary = make(
    "summary",
    {},
    make("span", { class: "viva-mark", text: VERDICT_SIGNS[event.verdict], "aria-hidden": "true" }),
    make("span", { class: "viva-mark-name", text: `Question ${event.number}: ${VERDICT_NAMES[event.verdict]}` }),
    make("span", { class: "viva-mark-points", text: `${points(event.points)} of 10` }),
  );
  const keyPoints = make(
    "ul",
    { class: "viva-points" },
    ...event.key_points.map((point) =>
      make(
        "li",
        { data: { status: point.status } },
        make("span", { class: "viva-point-sign", text: POINT_SIGNS[point.status], "aria-hidden": "true" }),
        make("span", { class: "viva-hidden", text: `${POINT_NAMES[point.status]}: ` }),
        point.text,
        point.quote ? make("q", { text: point.quote }) : null,
      ),
    ),
  );
  const sure = event.confidence < 1 ? `, confidence ${Math.round(event.confidence * 100)} %` : "";
  return make(
    "details",
    { class: "viva-card viva-verdict", data: { verdict: event.verdict, number: event.number }, open },
    summary,
    stem ? make("p", { class: "viva-stem", text: stem }) : null,
    event.key_points.length ? keyPoints : null,
    make("p", { class: "viva-label", text: "Your answer" }),
    make("p", { class: "viva-answer", text: event.answer || "No answer was given." }),
    make("p", { class: "viva-label", text: "Model answer" }),
    make("p", { text: event.model_answer }),
    make("p", { class: "viva-small", text: `Marked by ${event.judge}${sure}.` }),
  );
}
