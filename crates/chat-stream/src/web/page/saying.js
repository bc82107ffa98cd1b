/* What we say. */
/** Numbers it and sends it, now or once there is a connection. */
const put = (type, text, quiet) => {
  const number = ++session.number;
  const one = { number, object: { type, text, number }, sent: false, quiet };
  pending.push(one);
  if (!quiet) waiting.push(unsaid(number, text));
  one.sent = give(one.object);
  return number;
};
/** The row of a message that the room has not confirmed. */
const unsaid = (number, text) => sized({ key: `w${number}`, kind: "said", own: true, waiting: true, number, member: me.member, author: me.you, text, at: Date.now() });
/** The room has dealt with our messages up to this number. */
const settle = (number) => {
  pending = pending.filter((one) => one.number > number);
  waiting = waiting.filter((row) => row.number > number);
};
const bytes = (text) => { let sum = 0; for (const c of text) sum += c < " " || /\p{C}/u.test(c) ? 4 : new TextEncoder().encode(c).length; return sum; };
/** The parts of a line that fit into a message each. */
const parts = (line) => {
  if (line.length * 4 <= TEXT_BYTES_MAX || bytes(line) <= TEXT_BYTES_MAX) return [line];
  const out = [];
  let part = "", size = 0;
  const cells = Intl.Segmenter ? Array.from(new Intl.Segmenter().segment(line), (cell) => cell.segment) : Array.from(line);
  for (const cell of cells) for (const piece of bytes(cell) > TEXT_BYTES_MAX ? Array.from(cell) : [cell]) {
    const more = bytes(piece);
    if (size + more > TEXT_BYTES_MAX) { out.push(part); part = ""; size = 0; }
    part += piece;
    size += more;
  }
  return [...out, part];
};
const say = (text) => {
  const lines = text.replace(/\t/g, " ").split(/\r\n|[\r\n\u2028\u2029]/).filter((line) => line.trim());
  if (!lines.length || !session) return false;
  // A space typed before a password must not say it to everyone.
  const command = lines.length === 1 && /^\s*\/(?!\/)/.test(lines[0]) ? lines[0].trimStart() : null;
  if (command !== null) {
    if (bytes(command) > TEXT_BYTES_MAX) { addRow({ kind: "told", bad: true, text: "That command is too long", at: Date.now() }); return false; }
    put("command", command);
  } else for (const line of lines) for (const part of parts(line.replace(/^(\s*)\/\//, "$1/"))) put("say", part);
  stuck = true;
  unmark();
  draw();
  return true;
};
