/** Every button, key and signal of the page, and what it does. */

import { MicrophoneError } from "./audio.js";
import { byId, show } from "./dom.js";
import { forget } from "./memory.js";
import { hideProblem, tryAgain } from "./problem.js";

/** @param {object} page the page of `viva.js` */
export function listen(page) {
  const on = (id, what) => byId(id).addEventListener("click", what);
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("#viva-start, .viva-button")) page.sound.unlock();
  });
  for (const button of document.querySelectorAll("#viva-live [data-command]")) {
    button.addEventListener("click", () => page.command(button.dataset.command));
  }
  on("end", () => page.askEnd());
  on("end-no", () => page.closeEnd("cancel"));
  on("end-yes", () => page.closeEnd("confirm"));
  byId("end-dialog").addEventListener("cancel", (event) => {
    event.preventDefault();
    page.closeEnd("cancel");
  });
  on("consent-yes", () => page.consent(true));
  on("consent-no", () => page.consent(false));
  on("queue-leave", () => page.end("setup"));
  on("again", () => location.reload());
  on("problem-type", () => page.typeInstead());
  on("problem-close", hideProblem);
  on("problem-retry", tryAgain);
  on("continue-yes", () => page.resume());
  on("continue-no", () => {
    forget();
    show("continue", false);
  });
  byId("captions-toggle").addEventListener("change", () => page.drawCaptions());
  const text = byId("typed-text");
  byId("typed").addEventListener("submit", (event) => {
    event.preventDefault();
    if (text.value.trim()) page.typed(text.value.trim());
    text.value = "";
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      byId("typed").requestSubmit();
    }
  });
  document.addEventListener("keydown", (event) => key(page, event));
  window.addEventListener("online", () => page.worker?.postMessage({ type: "retry" }));
  window.addEventListener("offline", () => page.worker?.postMessage({ type: "offline" }));
  page.sound.onInterrupted = (interrupted) => {
    if (interrupted && page.view() === "live") page.live.notice("The sound was interrupted. Press any button to go on.");
  };
  page.sound.onMicrophoneLost = () => {
    if (page.view() === "live") page.microphoneProblem(new MicrophoneError("absent"), () => page.reopenMicrophone());
  };
}

/**
 * A shortcut does what a click on the control that names it does, and nothing while that control is not shown. It works
 * with Alt alone, so that it is in nobody's way; a key that is held down counts once.
 */
function key(page, event) {
  if (!event.altKey || event.ctrlKey || event.metaKey || page.view() !== "live") return;
  if (byId("end-dialog").open) return;
  const letter = /^Key([A-Z])$/.exec(event.code)?.[1];
  const control = document.querySelector(`#viva-live [aria-keyshortcuts="Alt+${letter}"]`);
  if (!control || control.hidden) return;
  event.preventDefault();
  if (event.repeat) return;
  if (control.matches("button")) control.click();
  else control.focus();
}
