/**
 * The socket, off the page's thread: a page that is busy drawing delays no sound.
 *
 * Frames come from the capture worklet and sound goes to the playback worklet by MessagePort; the page gets everything
 * else. A lost connection is opened again with the resume token of the last `viva.state`.
 */

import { fromBase64, toBase64 } from "./pcm.js";

const BACKOFF_S = [0.5, 1, 2, 4, 8, 10];
const GIVE_UP_AFTER_S = 300;
/** A socket that takes no byte off our hands for this long is dead, whatever it says. */
const STALLED_S = 8;
/** Frames are dropped rather than queued beyond this: late speech is worse than a gap. */
const MAX_BUFFERED_BYTES = 512 * 1024;
/** Close codes after which trying again cannot help: policy, unsupported data, and the application's own refusals. */
const FINAL_CODES = new Set([1003, 1008]);

let url = "";
let session = null;
let socket = null;
let resumeToken = null;
let finished = true;
let attempt = 0;
let lostAt = 0;
let retryTimer = null;
let playback = null;
let capturing = false;
/** Responses whose sound is dropped on arrival: cleared, cancelled, or of an earlier connection. */
const stale = new Set();
let speaking = null;
let sentBytes = 0;
let drained = { bytes: 0, at: 0 };

function tell(message) {
  self.postMessage(message);
}

function link(state, more = {}) {
  tell({ type: "link", state, ...more });
}

function send(event) {
  if (!socket || socket.readyState !== WebSocket.OPEN) return false;
  const text = JSON.stringify(event);
  sentBytes += text.length;
  socket.send(text);
  return true;
}

function open() {
  clearTimeout(retryTimer);
  link(attempt === 0 ? "connecting" : "reconnecting", { attempt });
  const mine = new WebSocket(url);
  socket = mine;
  let opened = false;
  mine.onopen = () => {
    opened = true;
    sentBytes = 0;
    drained = { bytes: 0, at: performance.now() };
    const viva = { ...session.viva, resume: resumeToken };
    if (resumeToken) delete viva.ticket;
    else delete viva.resume;
    send({ type: "session.update", session: { ...session, viva } });
    link("open", { resumed: attempt > 0 });
  };
  mine.onmessage = (message) => {
    if (mine === socket) receive(JSON.parse(message.data));
  };
  mine.onclose = (event) => {
    if (mine === socket) lost(event.code, event.reason, opened);
  };
}

function lost(code, reason, opened) {
  socket = null;
  if (speaking) {
    playback?.postMessage({ type: "end", responseId: speaking });
    stale.add(speaking);
    speaking = null;
  }
  if (finished || code === 1000) {
    finished = true;
    link("closed", { code, reason });
    return;
  }
  if (FINAL_CODES.has(code) || (code >= 4400 && code < 4500)) {
    finished = true;
    link("refused", { code, reason });
    return;
  }
  const now = performance.now();
  if (opened || attempt === 0) {
    attempt = 0;
    lostAt = now;
  }
  if (now - lostAt > GIVE_UP_AFTER_S * 1000) {
    link("gone", { code });
    return;
  }
  const seconds = BACKOFF_S[Math.min(attempt, BACKOFF_S.length - 1)] * (0.8 + 0.4 * Math.random());
  attempt += 1;
  link("lost", { code, attempt, seconds });
  retryTimer = setTimeout(open, seconds * 1000);
}

function receive(event) {
  switch (event.type) {
    case "response.created":
      speaking = event.response.id;
      break;
    case "response.output_audio.delta":
      if (!stale.has(event.response_id)) {
        const samples = fromBase64(event.delta);
        playback?.postMessage({ type: "audio", responseId: event.response_id, samples }, [samples.buffer]);
      }
      return;
    case "response.output_audio.done":
      playback?.postMessage({ type: "end", responseId: event.response_id });
      break;
    case "response.done":
      if (event.response.status === "cancelled") clear(event.response.id);
      else playback?.postMessage({ type: "end", responseId: event.response.id });
      if (speaking === event.response.id) speaking = null;
      break;
    case "viva.playback":
      if (event.action === "clear") clear(event.response_id);
      else playback?.postMessage({ type: event.action });
      break;
    case "viva.state":
      if (attempt > 0) attempt = 0;
      resumeToken = event.resume_token;
      if (event.phase === "done" && event.floor === "closed") finished = true;
      break;
  }
  tell({ type: "event", event });
}

function clear(responseId) {
  if (responseId) stale.add(responseId);
  else if (speaking) stale.add(speaking);
  playback?.postMessage({ type: "clear", responseId });
}

function frame({ pcm }) {
  if (!socket || socket.readyState !== WebSocket.OPEN) return;
  if (socket.bufferedAmount < MAX_BUFFERED_BYTES) {
    send({ type: "input_audio_buffer.append", audio: toBase64(pcm) });
  }
  const now = performance.now();
  const gone = sentBytes - socket.bufferedAmount;
  if (gone > drained.bytes || socket.bufferedAmount === 0) drained = { bytes: gone, at: now };
  else if (now - drained.at > STALLED_S * 1000) drop("stalled");
}

/** Treats the socket as lost without waiting for the close handshake of a dead line. */
function drop(reason) {
  const dead = socket;
  if (!dead) return;
  lost(4000, reason, true);
  dead.close();
}

self.onmessage = ({ data }) => {
  switch (data.type) {
    case "start":
      url = data.url;
      session = data.session;
      resumeToken = data.session.viva.resume ?? null;
      finished = false;
      attempt = 0;
      stale.clear();
      open();
      break;
    case "capture":
      capturing = true;
      data.port.onmessage = (message) => capturing && frame(message.data);
      break;
    case "playback":
      playback = data.port;
      playback.onmessage = ({ data: report }) => {
        send({
          type: "viva.played",
          response_id: report.responseId,
          n_samples: report.nSamples,
          underruns: report.underruns,
        });
      };
      break;
    case "send":
      if (!send(data.event)) tell({ type: "unsent", event: data.event });
      break;
    case "retry":
      if (!socket && !finished) {
        lostAt = performance.now();
        open();
      }
      break;
    case "offline":
      drop("offline");
      break;
    case "stop":
      finished = true;
      clearTimeout(retryTimer);
      if (socket) socket.close(1000, "the candidate left");
      else link("closed", { code: 1000, reason: "" });
      break;
  }
};
