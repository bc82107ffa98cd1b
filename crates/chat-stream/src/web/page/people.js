/* People and rooms. */
const setTopic = (text) => { $("topic").textContent = text; };
const address = (name) => {
  const text = $("text");
  if (name === me.you || /[.:]/.test(name)) { text.focus(); return; }
  text.value = text.value ? `${text.value.trimEnd()} @${name} ` : `/msg ${name} `;
  closeSide();
  grow();
  text.focus();
};
const showPeople = () => {
  $("people-count").textContent = String(count);
  const names = [...new Set(people)].sort((a, b) => (b === me.you) - (a === me.you) || a.localeCompare(b)).slice(0, 200);
  $("people").replaceChildren(...names.map((name) => make("li", {},
    make("button", { onclick: () => address(name), title: name === me.you ? "You" : `Write to ${name}` }, face(name),
      make("span", { class: "name", dir: "auto" }, name), ...(name === me.you ? [make("span", { class: "more" }, "you")] : [])))));
  const rest = Math.max(0, count - names.length);
  $("people-rest").hidden = !rest;
  $("people-rest").textContent = `and ${rest} more`;
  const here = rooms.find((room) => room.name === me.room);
  if (here && here.members !== count) { here.members = count; showRooms(); }
};
const askRooms = () => { rooms = []; roomsAsked = put("command", "/rooms", true); };
const roomLine = (text) => {
  const found = /^(\S+), (\d+) members?(?:: .*)?$/u.exec(text);
  if (found) rooms.push({ name: found[1], members: Number(found[2]) });
  return Boolean(found) || /^This room, /.test(text);
};
const showRooms = () => {
  const all = rooms.some((room) => room.name === me.room) || !me.room ? rooms : [{ name: me.room, members: count }, ...rooms];
  $("rooms").replaceChildren(...all.map((room) => make("li", {},
    make("button", { onclick: () => go(room.name), ...(room.name === me.room ? { "aria-current": "true" } : {}) },
      make("span", { class: "name", dir: "auto" }, `# ${room.name}`), make("span", { class: "more" }, String(room.members), make("span", { class: "unseen" }, " present"))))));
  $("rooms").previousElementSibling.hidden = $("go").hidden = !all.length;
};
/** Leaves this room for another one. The room has taken what came before this number, or what was sent. */
const go = (room, after) => {
  closeSide();
  if (!room || room === me.room) return;
  const rest = pending.filter((one) => (after ? one.number > after : !one.sent));
  give({ type: "bye" });
  forget();
  me.room = room;
  waiting = [];
  rows = [];
  marker = null;
  built.forEach((element) => element.remove());
  built.clear();
  people = [];
  session = null;
  pending = rest.map((one) => ({ ...one, sent: false }));
  older = { more: true, asked: 0, question: 0, got: [] };
  stuck = true;
  wanted = true;
  connect();
};
const closeSide = () => { $("side").classList.remove("open"); $("people-button").setAttribute("aria-expanded", "false"); };
$("people-button").addEventListener("click", () => {
  $("side").classList.add("open");
  $("people-button").setAttribute("aria-expanded", "true");
  $("close").focus();
  give({ type: "who" });
});
$("close").addEventListener("click", () => { closeSide(); $("people-button").focus(); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && $("side").classList.contains("open")) { closeSide(); $("people-button").focus(); } });
document.addEventListener("pointerdown", (event) => { if ($("side").classList.contains("open") && !$("side").contains(event.target)) closeSide(); });
$("go").addEventListener("submit", (event) => { event.preventDefault(); const room = $("go-room").value.trim(); $("go-room").value = ""; go(room); });
