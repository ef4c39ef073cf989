/**
 * What the page must remember over a reload: which viva is under way. Embedded pages may be denied storage; then a
 * reload cannot be helped, but everything else goes on.
 */

const KEY = "viva.session";

/** @param {{state: object, choice: object, title: string}} session */
export function remember({ state, choice, title }) {
  const { ticket, resume, ...viva } = choice.viva;
  const kept = {
    token: state.resume_token,
    choice: { ...choice, viva },
    title,
    number: state.number,
    total: state.total,
    at: Date.now(),
  };
  try {
    sessionStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // no storage
  }
}

/** @returns {object | null} what `remember` kept, if anything */
export function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
}

export function forget() {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // no storage
  }
}
