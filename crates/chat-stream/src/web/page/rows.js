/* Rows: what one message or notice looks like. */
const when = (time) => Date.parse(time) || Date.now();
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const mentions = (text) => me.name && new RegExp(`(^|[^\\p{L}\\p{N}_])@?${escaped(me.name)}($|[^\\p{L}\\p{N}_-])`, "iu").test(text);
let keys = 0;
/** The height that a row of this shape had last, which the next one likely has, too. */
const heights = new Map();
const shape = (row) => `${row.kind} ${row.head} ${row.more} ${row.own}`;
const sized = (row) => Object.assign(row, { h: heights.get(shape(row)) || 46 });
const addRow = (row) => {
  row.key = ++keys;
  const last = rows[rows.length - 1];
  if (!last || new Date(last.at).toDateString() !== new Date(row.at).toDateString()) rows.push(sized({ key: ++keys, kind: "day", at: row.at }));
  const isNews = row.kind === "said" && !row.own && session && session.live;
  if (isNews && isAway() && !(marker && !marker.read)) {
    unmark();
    rows.push(marker = sized({ key: ++keys, kind: "new", at: row.at }));
  }
  group(row, rows[rows.length - 1]);
  rows.push(sized(row));
  if (rows.length > ROWS_MAX) { shift(-sum(rows.splice(0, ROWS_MAX / 4))); older.more = true; }
  if (isNews) tell(row);
  draw();
};
const isAway = () => document.hidden || !stuck;
const unmark = () => {
  const at = rows.indexOf(marker);
  if (at >= 0) {
    if (sum(rows.slice(0, at + 1)) <= log.scrollTop + shifted) shift(-marker.h);
    rows.splice(at, 1);
  }
  marker = null;
};
/** A message continues its author's last one, without the name again. What the room tells continues likewise. */
const group = (row, before) => {
  row.more = row.kind === "told" && Boolean(before) && before.kind === "told" && !before.closed && !row.bad === !before.bad && row.at - before.at < GROUP_MS;
  row.head = row.kind === "said" && !(before && before.kind === "said" && before.member === row.member && before.author === row.author
    && before.private === row.private && row.at - before.at < GROUP_MS);
};
const note = (text, at, quiet) => {
  const last = rows[rows.length - 1];
  at = at || Date.now();
  if (quiet && last && last.quiet && last.text.length < NOTE_LENGTH_MAX && at - last.at < GROUP_MS) {
    last.text += ` · ${text}`;
    const element = built.get(last.key);
    if (element) element.textContent = last.text;
    draw();
  } else addRow({ kind: "note", text, at, quiet });
};
const prepend = (got) => {
  const old = [];
  let last = null;
  for (const row of got) {
    row.key = ++keys;
    if (!last || new Date(last.at).toDateString() !== new Date(row.at).toDateString()) old.push(sized({ key: ++keys, kind: "day", at: row.at }));
    group(row, old[old.length - 1]);
    old.push(sized(row));
    last = row;
  }
  if (last && rows[0] && rows[0].kind === "day" && new Date(rows[0].at).toDateString() === new Date(last.at).toDateString()) shift(-rows.shift().h);
  shift(sum(old));
  rows = old.concat(rows);
  draw();
};
const sum = (some) => some.reduce((height, row) => height + row.h, 0);
/** How far what is in view has moved since it was drawn, because of rows above it. */
let shifted = 0;
const shift = (height) => { if (!stuck) shifted += height; };
const tell = (row) => {
  if (isAway()) { unread++; mentioned ||= Boolean(row.mention); if (!stuck) fresh++; }
  title();
  const line = make("p", {}, `${row.author}${row.private ? ", privately" : ""}: ${row.text}`);
  $("live").append(line);
  while ($("live").children.length > 5) $("live").firstChild.remove();
};
const read = () => {
  if (isAway()) return;
  if (marker) marker.read = true;
  if (unread || fresh) { unread = fresh = 0; mentioned = false; title(); }
};
const title = () => {
  const name = me.room ? `${me.room} · chat` : "chat";
  const text = unread ? `(${unread}${mentioned ? " @" : ""}) ${name}` : name;
  if (document.title !== text) document.title = text;
};
