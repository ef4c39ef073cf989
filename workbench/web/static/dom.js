/** Small helpers for drawing: text goes in as text, never as markup. */

/** @param {string} id without the page's prefix @returns {HTMLElement} */
export function byId(id) {
  const found = document.getElementById(`viva-${id}`);
  if (!found) throw new Error(`the page has no element viva-${id}`);
  return found;
}

/** A new element with properties (`class`, `text`, `data`, others as attributes) and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") element.className = value;
    else if (key === "text") element.textContent = value;
    else if (key === "data") Object.assign(element.dataset, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function show(id, visible = true) {
  byId(id).hidden = !visible;
}

/** Writes text only where it changed, so that a live region speaks once. */
export function write(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

/** Minutes and seconds, `3:07`; below zero `0:00`. @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
