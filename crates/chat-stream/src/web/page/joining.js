/* Coming and going. */
const enter = () => {
  $("door").hidden = true;
  $("room").hidden = false;
  wanted = true;
  title();
  connect();
  draw();
  if (matchMedia("(hover: hover)").matches) $("text").focus();
};
const leave = (why) => {
  wanted = false;
  close();
  session = null;
  pending = []; waiting = []; rows = []; people = []; marker = null;
  built.forEach((element) => element.remove());
  built.clear();
  unread = fresh = 0;
  document.title = "chat";
  banner("");
  closeSide();
  $("room").hidden = true;
  $("door").hidden = false;
  $("trouble").hidden = !why;
  $("trouble").textContent = why;
  $("name").focus();
};
const forget = () => store.drop(sessionStorage, "chat");
$("join").addEventListener("submit", (event) => {
  event.preventDefault();
  me = { name: $("name").value.trim(), room: $("where").value.trim(), member: null, you: "" };
  session = null;
  $("trouble").hidden = true;
  enter();
});
$("leave").addEventListener("click", () => { give({ type: "bye" }); forget(); leave(""); });
$("retry").addEventListener("click", () => { tries = 0; connect(); });
const grow = () => { const text = $("text"); text.style.height = "auto"; text.style.height = `${text.scrollHeight + 3}px`; };
$("text").addEventListener("input", grow);
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); $("say").requestSubmit(); }
});
$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  if (say($("text").value)) { $("text").value = ""; grow(); }
  $("text").focus();
});
/** A page that is loaded again goes on where it was. */
addEventListener("pagehide", () => {
  if (!wanted || !session) return;
  const kept = rows.filter((row) => row !== marker).slice(-KEPT_ROWS);
  store.set(sessionStorage, "chat", { me, session: { ...session, live: false }, pending, rows: kept, told: [...told] });
});
const saved = store.get(sessionStorage, "chat");
const known = store.get(localStorage, "chat");
if (known) { $("name").value = known.name || ""; $("where").value = known.room || ""; }
if (saved && saved.session) {
  forget();
  ({ me, session, pending, rows } = saved);
  (saved.told || []).forEach((key) => told.add(key));
  keys = rows.reduce((most, row) => Math.max(most, row.key), 0);
  waiting = pending.filter((one) => !one.quiet).map((one) => unsaid(one.number, one.object.text));
  enter();
} else $("name").focus();
