/**
 * The recording of a session: its two-channel waveform, the transcript that plays from the chosen word and follows what
 * is heard; and the keys of the moderation queue.
 *
 * Gradio replaces the elements whenever another session is shown, so events are caught at the document.
 */

const KEYS = { c: "moderation-mark-confirm", e: "moderation-mark-change", s: "moderation-skip", u: "moderation-mark-undo" };

const player = (element) => element.closest(".e-player");
const sound = (area) => area?.querySelector("audio.e-audio");
const words = (area) => [...area.querySelectorAll(".e-word")];

function playFrom(area, seconds) {
  const audio = sound(area);
  if (!audio) return;
  audio.currentTime = seconds;
  // refused when the browser wants another gesture first; the place is set all the same
  audio.play().catch(() => {});
}

// ---- waveform ----

function colour(name) {
  return getComputedStyle(document.body).getPropertyValue(name).trim() || "#555";
}

function draw(figure) {
  const canvas = figure.querySelector("canvas");
  const peaks = JSON.parse(figure.dataset.peaks);
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (!width) return;
  const scale = window.devicePixelRatio || 1;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  const lane = height / peaks.length;
  const names = ["--v-accent", "--v-mid"];
  peaks.forEach((channel, n) => {
    const loudest = Math.max(0.05, ...channel);
    const middle = lane * (n + 0.5);
    context.fillStyle = colour(names[n]);
    for (let x = 0; x < width; x += 1) {
      const from = Math.floor((x * channel.length) / width);
      const to = Math.max(from + 1, Math.floor(((x + 1) * channel.length) / width));
      const half = Math.max(0.5, (Math.max(...channel.slice(from, to)) / loudest) * (lane / 2 - 3));
      context.fillRect(x, middle - half, 1, 2 * half);
    }
    context.fillStyle = colour("--v-line");
    if (n) context.fillRect(0, lane * n, width, 1);
  });
  const audio = sound(player(figure));
  const at = (audio.currentTime / Number(figure.dataset.duration)) * width;
  context.fillStyle = colour("--v-ink");
  context.fillRect(Math.max(0, at - 1), 0, 2, height);
}

const redraw = (area) => area?.querySelectorAll(".e-wave").forEach(draw);

// ---- following what is heard ----

function follow(area) {
  const now = sound(area).currentTime;
  area.querySelector(".e-word.e-heard")?.classList.remove("e-heard");
  const heard = words(area).find((word) => now >= Number(word.dataset.from) && now < Number(word.dataset.to));
  heard?.classList.add("e-heard");
  const turn = [...area.querySelectorAll(".e-transcript > li")].find(
    (one) => now >= Number(one.dataset.from) && now < Number(one.dataset.to),
  );
  if (turn && !turn.classList.contains("e-now")) {
    area.querySelector(".e-now")?.classList.remove("e-now");
    turn.classList.add("e-now");
    const list = turn.parentElement;
    // only the transcript scrolls, never the page under the reader's eyes
    if (!sound(area).paused) list.scrollTop = turn.offsetTop - list.offsetTop - list.clientHeight / 3;
  }
  redraw(area);
}

function choose(word) {
  const area = player(word);
  area.querySelectorAll('.e-word[tabindex="0"]').forEach((one) => one.setAttribute("tabindex", "-1"));
  word.setAttribute("tabindex", "0");
  word.focus();
}

function prepare(area) {
  if (area.dataset.ready) return;
  area.dataset.ready = "yes";
  // one stop for the Tab key; from there the arrow keys
  words(area).forEach((word, n) => {
    word.setAttribute("tabindex", n ? "-1" : "0");
    word.setAttribute("role", "button");
  });
  const audio = sound(area);
  if (!audio) return;
  audio.addEventListener("timeupdate", () => follow(area));
  audio.addEventListener("seeked", () => follow(area));
  new ResizeObserver(() => redraw(area)).observe(area.querySelector(".e-wave canvas"));
}

document.addEventListener("click", (event) => {
  const target = event.target;
  const timed = target.closest?.(".e-player [data-from]:is(.e-word, button)");
  if (timed) {
    if (timed.classList.contains("e-word")) choose(timed);
    playFrom(player(timed), Number(timed.dataset.from));
    return;
  }
  const canvas = target.closest?.(".e-wave canvas");
  if (canvas) {
    const figure = canvas.closest(".e-wave");
    const box = canvas.getBoundingClientRect();
    playFrom(player(canvas), ((event.clientX - box.left) / box.width) * Number(figure.dataset.duration));
  }
});

function onWord(event) {
  const all = words(player(event.target));
  const at = all.indexOf(event.target);
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step && all[at + step]) {
    event.preventDefault();
    choose(all[at + step]);
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    playFrom(player(event.target), Number(event.target.dataset.from));
  }
}

function onKey(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    const name = event.target.closest?.("[id$=-mark-reason]")?.id;
    if (name) document.getElementById(name.replace("reason", "change"))?.click();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  const id = KEYS[event.key.toLowerCase()];
  const queue = document.getElementById("moderation-queue");
  if (!id || !queue?.checkVisibility()) return;
  event.preventDefault();
  const button = document.getElementById(id);
  if (event.key.toLowerCase() === "e") {
    document.querySelector("#moderation-mark-verdict input:checked, #moderation-mark-verdict input")?.focus();
  } else if (button && !button.disabled) {
    button.click();
  }
}

document.addEventListener("keydown", (event) => {
  if (event.target.classList?.contains("e-word")) onWord(event);
  else onKey(event);
});

const look = () => document.querySelectorAll(".e-player").forEach(prepare);
new MutationObserver(look).observe(document.documentElement, { childList: true, subtree: true });
look();
