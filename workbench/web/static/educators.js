/**
 * What the educators' pages do in the browser: links that are shown once are drawn, copied and saved here, so that no
 * token is ever written to a file of the server.
 */

import { make } from "./dom.js";

/** The candidates' page: the educators' pages lie one level below it. */
const ROOT = new URL("../../../", import.meta.url);

function address(token) {
  const url = new URL(ROOT);
  url.searchParams.set("invite", token);
  return url.href;
}

/** @param {string} name @param {Blob} blob */
function save(name, blob) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Saves a file that came as text. @param {string} json `{name, type, base64}`, or empty for nothing */
export function download(json) {
  if (!json) return;
  const { name, type, base64 } = JSON.parse(json);
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  save(name, new Blob([bytes], { type }));
}

async function copy(button, text) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Press Ctrl C";
    button.closest("tr")?.querySelector("input")?.select();
  }
  setTimeout(() => (button.textContent = label), 2000);
}

/** A field of CSV; what a spreadsheet would take for a formula is made text. */
function field(text) {
  const value = String(text ?? "");
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Draws links that were just made. @param {string} json `{cohort, links: [{name, email, token}]}`, or empty */
export function showLinks(json) {
  const holder = document.getElementById("edu-new-links");
  holder.replaceChildren();
  if (!json) return;
  const { cohort, links } = JSON.parse(json);
  const rows = links.map(({ name, email, token }) => {
    const url = address(token);
    const shown = make("input", { type: "text", value: url, readonly: "", "aria-label": `Link for ${name}` });
    shown.addEventListener("focus", () => shown.select());
    const button = make("button", { type: "button", text: "Copy", "aria-label": `Copy the link for ${name}` });
    button.addEventListener("click", () => copy(button, url));
    const cell = (label, ...parts) => make("td", { "data-label": label }, ...parts);
    return make("tr", {}, cell("Candidate", make("span", { text: name })), cell("Link", shown), cell("", button));
  });
  const csv = ["name,email,link", ...links.map((l) => [l.name, l.email, address(l.token)].map(field).join(","))].join("\r\n");
  const copyAll = make("button", { type: "button", text: "Copy all" });
  copyAll.addEventListener("click", () => copy(copyAll, links.map((l) => `${l.name}\t${address(l.token)}`).join("\n")));
  const saveAll = make("button", { type: "button", text: "Download as CSV" });
  saveAll.addEventListener("click", () => save(`links-${cohort}.csv`, new Blob([`\ufeff${csv}\r\n`], { type: "text/csv" })));
  const many = links.length === 1 ? "This link is" : `These ${links.length} links are`;
  holder.append(
    make("p", { class: "edu-note", "data-kind": "mid", role: "status", text: `${many} shown once and kept nowhere: copy or save now.` }),
    make("div", { class: "edu-buttons" }, copyAll, saveAll),
    make("div", { class: "edu-table" }, make("table", {}, make("tbody", {}, ...rows))),
  );
  holder.scrollIntoView({ block: "nearest" });
}

// Gradio's calendar button has a picture and no name
const nameCalendars = () =>
  document.querySelectorAll("button.calendar:not([aria-label])").forEach((one) => one.setAttribute("aria-label", "Choose a date"));
new MutationObserver(nameCalendars).observe(document.documentElement, { childList: true, subtree: true });
nameCalendars();

// known to the pages' events
window.educators = { download, showLinks };
