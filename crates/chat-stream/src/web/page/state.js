/* Helpers, limits, and the state of this page. */
const $ = (id) => document.getElementById(id);
/** An element. A text among its children is only ever a text. */
const make = (tag, props, ...children) => {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props || {})) {
    if (key === "class") element.className = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== null) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
};
const store = {
  get(area, key) { try { return JSON.parse(area.getItem(key)); } catch { return null; } },
  set(area, key, value) { try { area.setItem(key, JSON.stringify(value)); } catch { /* full, or not allowed */ } },
  drop(area, key) { try { area.removeItem(key); } catch { /* not allowed */ } },
};

const HISTORY = 60, ROWS_MAX = 20000, KEPT_ROWS = 300, OVERSCAN = 700, BELOW = 12, GROUP_MS = 5 * 60 * 1000, NOTE_LENGTH_MAX = 160;
const SILENCE_MS = 45000, ANSWER_MS = 12000, TEXT_BYTES_MAX = 960;

/* ---- state ---- */
let socket = null, wanted = false, tries = 0, timer = 0, watch = 0;
let me = { name: "", room: "", member: null, you: "" };
/** What the session needs to go on after a lost connection. */
let session = null; // { epoch, member, since, key, have, direct, number }
let pending = [];   // { number, type, text, sent } that the room has not confirmed
let rows = [], waiting = [], stuck = true, unread = 0, mentioned = false, fresh = 0;
let people = [], more = false, count = 0, ignored = new Set(), rooms = [], roomsAsked = 0;
let older = { more: true, asked: 0, question: 0, got: [] };
/** The row above the first message that came while nobody looked, until the next one of that kind. */
let marker = null;
