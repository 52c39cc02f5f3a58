// The review page: claim, look, decide, next.
import { get, post } from "./api.js";
import { banner, follow, learnClock } from "./bar.js";
import { Bench } from "./bench.js";
import { byId, element } from "./dom.js";
import { describeKeys, listen } from "./keys.js";
import { Lease } from "./lease.js";
import { describe, empty } from "./side.js";

const SAYS = { OK: ["Accepted", "ok"], NG: ["Rejected", "ng"], UNSURE: ["Handed to a lead", "warn"] };
const RETRY_MS = 2000;
let visit = null;
let busy = false;
let undoable = false;
let undoing = false;
let pinned = null;
let idle = false;

const bench = new Bench(() => refresh());
const lease = new Lease((news) => take(news), (message) => lost(message));

function toast(text, kind = "ok") {
  const box = byId("toast");
  box.textContent = text;
  box.dataset.kind = kind;
  box.toggleAttribute("data-on", true);
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => box.removeAttribute("data-on"), 2600);
}

function cover(title, text, button = "Next visit") {
  byId("cover-title").textContent = title;
  byId("cover-text").textContent = text;
  byId("cover-next").firstChild.textContent = `${button} `;
  byId("cover").hidden = false;
}

// Why the part cannot be accepted now; null where it can.
function locked() {
  if (visit.missing_views.length) return `No picture of ${visit.missing_views.join(", ")}: accepting is locked. Reject, or press ? for a lead.`;
  const gone = bench.tiles.find((tile) => tile.missing);
  if (gone) return `View ${gone.frame.view_id} cannot be shown: accepting is locked. Reject, or press ? for a lead.`;
  const coming = bench.tiles.filter((tile) => !tile.shown).length;
  if (coming || !bench.tiles.length) return `Accepting is locked until every picture is here (${coming} to come).`;
  return null;
}

function refresh() {
  const why = visit ? locked() : null;
  byId("lock").textContent = why ?? "\u00a0";
  for (const button of document.querySelectorAll("[data-judge]")) {
    const judgement = button.dataset.judge;
    button.disabled = !visit || busy || (judgement === "OK" && why !== null) || (pinned !== null && pinned !== judgement);
  }
  byId("release").disabled = byId("skip").disabled = !visit || busy || pinned !== null;
  byId("undo").disabled = undoing || !undoable;
  if (visit) describe(visit, bench.tiles, (tile) => bench.activate(tile));
  byId("review").dataset.state = visit ? (why ? "waiting" : "ready") : "idle";
}

function take(news) {
  learnClock(news.now_ms);
  const same = visit?.token === news.token && news.frames.length === bench.tiles.length;
  visit = news;
  if (!same) bench.show(visit);
  refresh();
}

function putDown() {
  visit = pinned = null;
  lease.drop();
  bench.clear();
  empty();
  refresh();
}

function lost(message) {
  putDown();
  cover("This visit is no longer yours", message);
}

async function next() {
  if (busy || visit) return;
  busy = true;
  idle = false;
  try {
    const answer = await post("/api/claim");
    banner(null);
    byId("cover").hidden = true;
    if (answer.visit) { lease.hold(answer.visit); take(answer.visit); }
    else { idle = true; cover("Nothing waits for you", "The next visit opens here by itself.", "Look again"); }
  } catch (refused) {
    idle = true;
    cover(refused.word === "queue_away" ? "One moment" : "The station cannot give out visits", refused.message, "Try again");
    setTimeout(() => idle && next(), RETRY_MS);
  } finally {
    busy = false;
    refresh();
  }
}

async function judge(judgement) {
  if (!visit || busy || (judgement === "OK" && locked() !== null) || (pinned !== null && pinned !== judgement)) return;
  busy = true;
  const button = document.querySelector(`[data-judge="${judgement}"]`);
  button.classList.add("sending");
  refresh();
  try {
    await post(`/api/slots/${visit.slot_id}/decision`, { token: visit.token, judgement, shown: bench.shown() });
    banner(null);
    undoable = true;
    toast(...SAYS[judgement]);
    putDown();
    busy = false;
    await next();
  } catch (refused) {
    await refusedJudgement(refused, judgement);
  } finally {
    busy = false;
    button.classList.remove("sending");
    refresh();
  }
}

async function refusedJudgement(refused, judgement) {
  if (refused.word === "lease_lost") { lost(refused.message); return; }
  if (refused.status === 0 || refused.status >= 500) {
    pinned = judgement;
    banner(`${refused.message} Press the same key to send it again.`);
    return;
  }
  toast(refused.message, "warn");
}

async function giveBack(how, word) {
  if (!visit || busy || pinned !== null) return;
  busy = true;
  refresh();
  try {
    await post(`/api/slots/${visit.slot_id}/${how}`, { token: visit.token });
    putDown();
    toast(word, "warn");
    if (how === "release") cover("Given back", "The visit waits for whoever comes next.");
  } catch (refused) {
    if (refused.word === "lease_lost") lost(refused.message);
    else banner(refused.message);
  } finally {
    busy = false;
    refresh();
  }
  if (how === "skip" && !visit && byId("cover").hidden) await next();
}

// Also while the next visit is on its way: a slip is noticed at once.
async function undo() {
  if (undoing || !undoable) return;
  undoing = true;
  refresh();
  try {
    await post("/api/undo");
    toast("Undone: the visit comes back into the queue", "warn");
    undoable = false;
  } catch (refused) {
    if (refused.status >= 500 || refused.status === 0) banner(`Not undone. ${refused.message}`);
    else toast(refused.message, "warn");
  } finally {
    undoing = false;
    refresh();
  }
}

function help() {
  describeKeys(byId("help-keys"), element);
  byId("help-dialog").showModal();
}

const acts = {
  accept: () => judge("OK"), reject: () => judge("NG"), unsure: () => judge("UNSURE"), undo,
  release: () => giveBack("release", "Given back"), skip: () => giveBack("skip", "Skipped"),
  mask: () => bench.toggleMask(), heat: () => bench.nextHeat(), previous: () => bench.step(-1), next: () => bench.step(1),
  alone: () => bench.alone(), closer: () => bench.active?.zoom("in"), farther: () => bench.active?.zoom("out"),
  fit: () => bench.active?.zoom("fit"), one: () => bench.active?.zoom("one"), go: next, help,
};
listen(acts);
for (const button of document.querySelectorAll("[data-judge]")) button.addEventListener("click", () => judge(button.dataset.judge));
for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => bench.active?.zoom(button.dataset.zoom));
for (const [id, act] of Object.entries({ release: "release", skip: "skip", undo: "undo", help: "help", mask: "mask", heat: "heat", alone: "alone", "cover-next": "go" })) {
  byId(id).addEventListener("click", () => acts[act]());
}
byId("opacity").addEventListener("input", (event) => bench.strength(Number(event.target.value)));
follow((queue) => {
  if (idle && queue?.live && queue.lines.some((line) => line.ready + line.dead > 0)) next();
});
get("/api/me").then((me) => { undoable = me.undoable; refresh(); }).catch(() => undefined);
next();
