/* What the room says. */
/** What comes between two messages has no number, and comes again when a session goes on. */
const between = new Set(["joined", "left", "presence_summary", "renamed", "topic"]), told = new Set(), TOLD_MAX = 256;
const hear = (object) => {
  if (object.direct) {
    if (object.direct <= session.direct) return;
    session.direct = object.direct;
    give({ type: "got", direct: object.direct });
  }
  if (object.type === "message") told.clear();
  else if (between.has(object.type)) {
    const key = JSON.stringify(object);
    if (told.has(key)) return; // it came over another connection
    told.add(key);
    if (told.size > TOLD_MAX) told.delete(told.values().next().value);
  }
  if (object.seq && object.type !== "old_message") {
    if (object.type === "message" && object.seq <= session.have) return; // it came over another connection
    session.have = Math.max(session.have, object.seq);
  }
  const act = acts[object.type];
  if (act) act(object);
};
const acts = {
  connected(it) {
    const before = session;
    const goes = it.resumed;
    if (!goes) told.clear();
    const same = before && before.epoch === it.session.epoch;
    session = { ...it.session, live: true,
      have: goes || (same && rows.some((row) => row.seq)) ? before.have : 0,
      direct: goes ? before.direct : 0, number: goes ? before.number : 0, question: goes ? before.question : 0 };
    older = { ...older, asked: 0, got: [] };
    Object.assign(me, { member: it.member, you: it.you, room: it.room || "" });
    if (it.name) me.name = it.name;
    store.set(localStorage, "chat", { name: me.name, room: me.room });
    tries = 0;
    banner("");
    state("Connected", true);
    $("title").textContent = it.room || "chat";
    title();
    setTopic(it.topic || "");
    count = it.members;
    if (before && !goes && !same) {
      rows.forEach((row) => { row.seq = 0; });
      older.more = true;
      note("The server has started anew. What follows is new.");
    }
    if (goes) {
      if (it.taken !== undefined) settle(it.taken);
      pending.forEach((one) => { one.sent = give(one.object); });
    } else {
      const unsure = pending.filter((one) => one.sent);
      const unsaid = pending.filter((one) => !one.sent);
      pending = [];
      waiting = [];
      unsure.filter((one) => !one.quiet).forEach((one) => addRow({ kind: "unsure", own: true, author: me.you, type: one.object.type, text: one.object.text, at: Date.now() }));
      unsaid.filter((one) => !one.quiet).forEach((one) => put(one.object.type, one.object.text));
      ignored = new Set();
    }
    give({ type: "who" });
    if (it.commands) askRooms();
    draw();
  },
  message(it) {
    const own = it.member === me.member;
    if (own) settle(it.number);
    if (ignored.has(it.member)) return;
    addRow({ kind: "said", seq: it.seq, own, member: it.member, author: it.author, text: it.text, at: when(it.time),
      mention: !own && mentions(it.text) });
  },
  joined(it) {
    count = it.members;
    if (it.member !== me.member && !people.includes(it.peer)) people.push(it.peer);
    note(`${it.peer} joined`, when(it.time), true);
    showPeople();
  },
  left(it) {
    count = it.members;
    people = people.filter((peer) => peer !== it.peer);
    note(it.reason === "by its own choice" ? `${it.peer} left` : `${it.peer} left (${it.reason})`, when(it.time), true);
    showPeople();
  },
  presence_summary(it) {
    count = it.members;
    note(`${it.joined} joined, ${it.left} left`, when(it.time), true);
    showPeople();
  },
  renamed(it) {
    people = people.map((peer) => (peer === it.from ? it.to : peer));
    if (it.member === me.member) { me.you = it.to; if (!/[.:]/.test(it.to)) me.name = it.to; store.set(localStorage, "chat", { name: me.name, room: me.room }); }
    note(`${it.from} is now ${it.to}`, when(it.time), true);
    showPeople();
  },
  topic(it) {
    setTopic(it.text);
    note(it.text ? `${it.author} set the topic: ${it.text}` : `${it.author} removed the topic`, when(it.time));
  },
  private(it) {
    if (ignored.has(it.member)) return;
    addRow({ kind: "said", private: "to you", member: it.member, author: it.author, text: it.text, at: Date.now(), mention: true });
  },
  sent(it) {
    settle(it.number);
    addRow({ kind: "said", private: `to ${it.to}`, own: true, member: me.member, author: me.you, text: it.text, at: Date.now() });
  },
  notice(it) {
    if (roomsAsked && roomLine(it.text)) return;
    addRow({ kind: "told", text: it.text, at: Date.now() });
  },
  done(it) {
    const last = rows[rows.length - 1];
    if (last) last.closed = true; // what the room tells next is another answer
    if (it.number === roomsAsked) { roomsAsked = 0; showRooms(); }
    settle(it.number);
  },
  not_said(it) {
    const one = pending.find((one) => one.number === it.number);
    settle(it.number);
    addRow({ kind: "told", bad: true, text: one ? `Not said: “${one.object.text}”. ${it.why}` : `Not said: ${it.why}`, at: Date.now() });
  },
  undelivered(it) { addRow({ kind: "told", bad: true, text: `Not delivered to ${it.to}: ${it.why}`, at: Date.now() }); },
  ignoring(it) { if (it.is_ignored) ignored.add(it.member); else ignored.delete(it.member); },
  move(it) {
    const command = pending.find((one) => /^\/join\b/i.test(one.object.text));
    go(it.room, command ? command.number : 0);
  },
  missed(it) {
    if (it.taken !== undefined) settle(it.taken);
    note(it.messages === 1 ? "You missed a message" : `You missed ${it.messages} messages`);
  },
  present(it) {
    ({ members: count, peers: people, more } = it);
    showPeople();
  },
  old_message(it) {
    if (it.question !== older.question || ignored.has(it.member)) return;
    older.got.push({ kind: "said", seq: it.seq, own: it.member === me.member, member: it.member, author: it.author, text: it.text, at: when(it.time) });
  },
  old_end(it) {
    if (it.question !== older.question) return;
    const first = rows.find((row) => row.seq);
    const got = older.got.filter((row) => !first || row.seq < first.seq);
    older = { ...older, asked: 0, more: it.more && got.length > 0, got: [] };
    if (it.why) { addRow({ kind: "told", bad: true, text: `The history cannot be read: ${it.why}`, at: Date.now() }); return; }
    prepend(got);
  },
  ended(it) {
    wanted = false;
    clearTimeout(watch);
    if (it.code === 11) { wanted = true; return; } // the server stops: perhaps it comes back
    if (it.code === 1 || it.code === 2 || it.code === 3 || it.code === 4) { wanted = true; return; }
    forget();
    leave(it.code === 0 ? "" : it.code === 9 ? "This conversation goes on in another tab." : `The room has closed the connection: ${it.reason}.`);
  },
};
