/* The connection. */
const connect = () => {
  close();
  const link = new WebSocket((location.protocol === "https:" ? "wss://" : "ws://") + location.host + "/ws");
  socket = link;
  state("Connecting…", false);
  link.onopen = () => {
    const hello = { type: "hello", history: rows.some((row) => row.seq) ? 0 : HISTORY };
    if (me.name) hello.name = me.name;
    if (me.room) hello.room = me.room;
    if (session) {
      const { epoch, member, since, key, have, direct } = session;
      hello.resume = { epoch, member, since, key, have, direct };
      hello.history = HISTORY; // of effect only if the session does not go on
    }
    link.send(JSON.stringify(hello));
    alive();
  };
  link.onmessage = (event) => { alive(); hear(JSON.parse(event.data)); };
  link.onclose = () => { if (link === socket) lost(); };
};
const close = () => {
  clearTimeout(timer);
  clearTimeout(watch);
  if (socket) { socket.onclose = socket.onmessage = socket.onopen = null; socket.close(); }
  socket = null;
  if (session) session.live = false;
};
const lost = () => {
  close();
  if (!wanted) return;
  const wait = Math.min(15000, 400 * 2 ** tries++) * (.7 + Math.random() * .6);
  state("Offline", false);
  banner(tries > 1 || rows.length ? "The connection is lost. Trying again…" : "The server does not answer. Trying again…");
  timer = setTimeout(connect, wait);
};
/** A link that is silent for long is asked something, and given up if it does not answer. */
const alive = () => {
  clearTimeout(watch);
  watch = setTimeout(() => {
    give({ type: "who" });
    watch = setTimeout(lost, ANSWER_MS);
  }, SILENCE_MS);
};
const give = (object) => {
  if (!socket || socket.readyState !== WebSocket.OPEN || !session || !session.live) return false;
  socket.send(JSON.stringify(object));
  return true;
};
const now = () => { if (wanted && !socket) { tries = 0; connect(); } };
addEventListener("online", now);
document.addEventListener("visibilitychange", () => { if (!document.hidden) { now(); read(); draw(); } });

const state = (text, good) => {
  $("link").classList.toggle("away", !good);
  if ($("link-text").textContent !== text) $("link-text").textContent = text;
};
const banner = (text) => {
  $("banner").hidden = !text;
  if ($("banner-text").textContent !== text) $("banner-text").textContent = text;
};
