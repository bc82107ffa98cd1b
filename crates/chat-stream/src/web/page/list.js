/* The list of rows: only what is near the view is in the document. */
const log = $("log"), list = $("rows"), built = new Map();
let drawing = false;
const draw = () => { if (!drawing) { drawing = true; requestAnimationFrame(() => { drawing = false; paint(); }); } };
const paint = () => {
  for (let again = 0; again < 4 && drawNear(); again++);
  $("empty").hidden = rows.some((row) => row.kind === "said") || waiting.length > 0 || !session;
  $("down").hidden = stuck;
  const text = fresh ? (fresh === 1 ? "1 new message" : `${fresh} new messages`) : "Jump to the newest";
  if ($("down").textContent !== text) $("down").textContent = text;
  read();
  if (log.scrollTop < 900) askOlder();
};
/** Draws the rows near the view; true if some turned out to have another height than it thought. */
const drawNear = () => {
  const all = waiting.length ? rows.concat(waiting) : rows;
  const height = log.clientHeight;
  const total = sum(all);
  const gap = shifted;
  shifted = 0;
  const bottom = Math.max(0, total + BELOW - height); // it scrolls no further
  const top = stuck ? bottom : Math.max(0, Math.min(log.scrollTop + gap, bottom));
  let first = 0, above = 0;
  while (first < all.length && above + all[first].h < top - OVERSCAN) above += all[first++].h;
  let last = first, end = above;
  while (last < all.length && end < top + height + OVERSCAN) end += all[last++].h;
  const shown = all.slice(first, last);
  const keep = new Set(shown.map((row) => row.key));
  for (const [key, element] of built) if (!keep.has(key)) { element.remove(); built.delete(key); }
  let place = list.firstChild;
  for (const row of shown) {
    let element = built.get(row.key);
    if (!element) { element = show(row); built.set(row.key, element); }
    if (element === place) place = place.nextSibling;
    else list.insertBefore(element, place);
  }
  list.style.paddingTop = `${above}px`;
  list.style.paddingBottom = `${total - end + BELOW}px`;
  let moved = 0, changed = false, y = above;
  for (const row of shown) {
    const real = built.get(row.key).getBoundingClientRect().height;
    if (Math.abs(real - row.h) > .5) {
      if (y + row.h <= top) moved += real - row.h;
      changed = true;
    }
    y += row.h;
    row.h = real;
    heights.set(shape(row), real);
  }
  if (stuck) log.scrollTop = log.scrollHeight;
  else if (moved || gap) log.scrollTop = top + moved;
  return changed;
};
log.addEventListener("scroll", () => {
  stuck = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  draw();
}, { passive: true });
new ResizeObserver(draw).observe(log);
$("down").addEventListener("click", () => { stuck = true; draw(); $("text").focus(); });

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dates = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
/** Which of the eight colours is the name's. */
const colour = (name) => {
  let sum = 0;
  for (const c of name) sum = (sum * 31 + c.codePointAt(0)) >>> 0;
  return sum % 8;
};
const face = (name) => {
  const letter = /^[\d[]/.test(name) ? "#" : name === "*" ? "★" : Array.from(name)[0].toUpperCase();
  return make("span", { class: `face c${colour(name)}`, "aria-hidden": "true" }, letter);
};
/** The text with its links. */
const linked = (text) => text.split(/(\bhttps?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}])/).map((part, at) =>
  at % 2 ? make("a", { href: part, target: "_blank", rel: "noopener noreferrer" }, part) : part);
const show = (row) => {
  if (row.kind === "day") return make("li", { class: "day" }, make("span", {}, dates.format(row.at)));
  if (row.kind === "note") return make("li", { class: "note", dir: "auto" }, row.text);
  if (row.kind === "new") return make("li", { class: "new" }, "New");
  if (row.kind === "told") return make("li", { class: row.more ? "note told more" : "note told" }, make("div", { dir: "auto", class: row.bad ? "bad" : "" }, row.text));
  const { own, author, at } = row;
  const time = make("time", { datetime: new Date(at).toISOString() }, clock.format(at));
  const tag = row.private ? [make("span", { class: "tag", dir: "auto" }, row.private)] : [];
  const bubble = make("div", { class: "bubble text", dir: "auto" }, ...linked(row.text));
  const said = make("div", { class: "said" }, bubble);
  const item = make("li", { class: ["msg", row.head && "head", own && "own", row.private && "private", row.mention && !row.private && "mention", row.waiting && "waiting"].filter(Boolean).join(" ") });
  if (row.kind === "unsure") {
    said.prepend(make("button", { class: "again", onclick: () => { rows = rows.filter((other) => other !== row); put(row.type, row.text); stuck = true; draw(); } }, "Perhaps not sent. Send again"));
  }
  if (row.waiting) said.prepend(make("span", { class: "unseen" }, "Sending: "));
  if (own) {
    if (row.head || row.private) item.append(make("div", { class: "who" }, ...tag, make("span", { class: "unseen" }, "You,"), time));
  } else if (row.head) {
    item.append(face(author), make("div", { class: "who" }, make("button", { class: `n${colour(author)}`, dir: "auto", title: `Write to ${author}`, onclick: () => address(author) }, author), ...tag, time));
  } else said.prepend(make("span", { class: "unseen" }, `${author}: `));
  item.append(said);
  return item;
};

/* ---- older messages ---- */
const askOlder = () => {
  const first = rows.find((row) => row.seq);
  if (!first || first.seq <= 1 || !older.more || older.asked || !session || !session.live) return;
  older.asked = first.seq;
  older.question = session.question = (session.question || 0) + 1;
  older.got = [];
  if (!give({ type: "history", before: first.seq, messages: 50, question: older.question })) older.asked = 0;
};
