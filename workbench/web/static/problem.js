/** The banner that says what went wrong and what to do about it. */

import { byId, show, write } from "./dom.js";

let retryProblem = null;

/**
 * @param {string} title what happened
 * @param {string} text what to do
 * @param {(() => void) | null} retry what "Try again" does; without it there is no such button
 * @param {boolean} typed whether typing the answers is a way out
 */
export function problem(title, text, retry = null, typed = false) {
  write("problem-title", title);
  write("problem-text", text);
  show("problem-retry", Boolean(retry));
  show("problem-type", typed);
  retryProblem = retry;
  show("problem");
  byId("problem").scrollIntoView({ block: "nearest" });
}

export function hideProblem() {
  show("problem", false);
}

/** Does again what failed. */
export function tryAgain() {
  hideProblem();
  retryProblem?.();
}
