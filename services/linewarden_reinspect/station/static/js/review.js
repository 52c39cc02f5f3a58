// The review page: claim, look, say what you see, learn what the machine thinks, decide, next.
import { wire } from "./acts.js";
import { Ahead } from "./ahead.js";
import { post } from "./api.js";
import { banner, follow } from "./bar.js";
import { Bench } from "./bench.js";
import { chosenClass, nextClass, offerClasses } from "./classes.js";
import { Compare } from "./compare.js";
import { byId } from "./dom.js";
import { Lease } from "./lease.js";
import { Offers } from "./offers.js";
import { Outbox } from "./outbox.js";
import { Rest } from "./rest.js";
import { Scan } from "./scan.js";
import { describe, empty, tellStep, words } from "./side.js";
import { cover, tellWaiting, toast } from "./tell.js";
import { t } from "./texts.js";
import { Undo } from "./undo.js";

const KINDS = { OK: "ok", NG: "ng", UNSURE: "warn" };
const RETRY_MS = 2000;
const SOON_MS = 50;
const BACK_MS = 250;
const BACK_TRIES = 40; // route answers within moments; ten seconds are waited for it
const state = { visit: null, busy: false, idle: false, resting: false, waiting: false };

const bench = new Bench(() => refresh());
const ahead = new Ahead((frame) => bench.tile(frame), () => refresh());
const compare = new Compare();
bench.onMove = (tile) => compare.follow(tile);
const undo = new Undo(toast, { isSending: () => outbox.entries().length > 0, bringBack });
const rest = new Rest(() => giveBack("release", "cover.rest"));
const scan = new Scan({ onCode: (code) => offers.scanned(code), onOnly: () => offers.next() });
const offers = new Offers(state, { hold, putDown, refresh, scan });
const outbox = new Outbox({ onWait: (entry, refused) => tellWaiting(entry, refused, outbox.entries().length), onSent: sent, onRefused: refusedDecision });
const lease = new Lease({
  onRenewed: (answer) => { take(answer.visit); ahead.check(answer.ahead); },
  onLost: (message) => lost(message),
  isSending: () => outbox.sending,
});

// Why the part cannot be accepted now; null where it can.
function locked() {
  const { visit } = state;
  if (visit.missing_views.length) return t("lock.missing", { views: visit.missing_views.join(", ") });
  const gone = bench.tiles.find((tile) => tile.missing);
  if (gone) return t("lock.gone", { view: gone.frame.view_id });
  const coming = bench.tiles.filter((tile) => !tile.shown).length;
  return coming || !bench.tiles.length ? t("lock.coming", { count: coming }) : null;
}

function refresh() {
  const { visit, busy } = state;
  const why = visit ? locked() : null;
  byId("lock").textContent = why ?? "\u00a0";
  for (const button of document.querySelectorAll("[data-judge]")) {
    // Still to be pressed, so that it can say why not.
    button.setAttribute("aria-disabled", String(!visit || busy || (button.dataset.judge === "OK" && why !== null)));
    button.toggleAttribute("data-first", visit?.told?.first === button.dataset.judge);
  }
  byId("release").disabled = byId("skip").disabled = !visit || busy;
  for (const id of ["defect-class", "unsure-because", "comment"]) byId(id).disabled = !visit;
  byId("unsure-word").textContent = t(visit?.can_send_back ? "judge.BACK" : "judge.UNSURE");
  if (visit) {
    describe(visit);
    tellStep(visit);
    compare.look(bench.active?.frame.view_id, chosenClass());
    if (why === null && !busy && !scan.only) ahead.fetch();
  }
  byId("review").dataset.state = visit && !busy ? (why ? "waiting" : "ready") : visit ? "sending" : "idle";
  byId("review").dataset.ahead = ahead.isHere ? "here" : "none";
  byId("review").dataset.step = visit ? (visit.told ? "last" : "first") : "none";
}

// The visit as the station knows it now. Views that are on the screen already stay there.
function take(news, fetched = []) {
  const known = state.visit;
  const same = known?.token === news.token && news.frames.length === bench.tiles.length;
  state.visit = news;
  if (!same) {
    bench.show(news, fetched);
    compare.show(news).then(() => { offerClasses(compare.classes); refresh(); });
  } else if (news.told && !known.told) {
    bench.visit = compare.visit = news;
    bench.tell(news.told);
    bench.fill(news);
    compare.render();
  } else bench.visit = compare.visit = news;
  refresh();
}

function putDown() {
  state.visit = null;
  lease.drop();
  bench.clear();
  compare.clear();
  empty();
  refresh();
}

function lost(message) {
  putDown();
  cover(t("cover.lost"), message);
}

function hold(visit) {
  const fetched = ahead.visit?.slot_id === visit.slot_id ? ahead.take().tiles : [];
  state.idle = state.resting = state.waiting = false;
  byId("cover").hidden = true;
  lease.hold(visit);
  take(visit, fetched);
}

// One key says what one sees; the same key again, or another one, is the last word.
async function judge(judgement, event) {
  const why = !state.visit ? t("lock.nothing") : state.busy ? t("lock.busy") : judgement === "OK" ? locked() : null;
  if (why !== null) { toast(why, "warn"); return; }
  state.busy = true;
  const pressedMs = event?.timeStamp ?? performance.now();
  const button = document.querySelector(`[data-judge="${judgement}"]`);
  button.classList.add("sending");
  refresh();
  try {
    await (state.visit.told ? decide(judgement, pressedMs) : firstLook(judgement));
  } finally {
    state.busy = false;
    button.classList.remove("sending");
    refresh();
  }
}

// Sent until the station has it: what was said first is not said again differently because the network was away.
async function firstLook(judgement) {
  const { visit } = state;
  const body = { token: visit.token, judgement, shown: bench.shown() };
  while (state.visit?.token === visit.token) {
    try {
      const answer = await post(`/api/slots/${visit.slot_id}/first`, body);
      banner(null);
      if (state.visit?.token === visit.token) take(answer.visit);
      return;
    } catch (refused) {
      if (refused.word === "lease_lost") { lost(refused.message); return; }
      if (!refused.passes) { toast(refused.message, "warn"); return; }
      banner(t("banner.first_waits", { why: refused.message }));
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
  }
}

async function decide(judgement, pressedMs) {
  const { visit } = state;
  const marks = judgement === "NG" ? await bench.marks() : [];
  const body = { token: visit.token, judgement, shown: bench.shown(), marks, defect_class: judgement === "NG" ? chosenClass() : null, ...words(judgement, visit) };
  const entry = { slot_id: visit.slot_id, part: byId("part").textContent, undo_window_ms: visit.undo_window_ms, body };
  outbox.keep(entry);
  const coming = ahead.take();
  if (coming.visit) await showAhead(coming, pressedMs);
  await outbox.flush();
}

// The next picture is on the screen before the station has answered; its keys open when it has. A page that nobody
// looks at paints nothing: then the answer does not wait for it.
async function showAhead({ visit, tiles }, pressedMs) {
  lease.drop();
  bench.setPen(false);
  take(visit, tiles);
  const painted = bench.painted.then(() => performance.measure("linewarden-next-picture", { start: pressedMs, end: performance.now() }));
  await Promise.race([painted, new Promise((done) => setTimeout(done, SOON_MS))]);
}

async function sent(entry, answer) {
  const { judgement } = entry.body;
  undo.open(answer.decision, entry.undo_window_ms, entry.part);
  toast(t(entry.body.hand_to === "operator" ? "said.BACK" : `said.${judgement}`, { part: entry.part }), KINDS[judgement]);
  if (state.visit?.token === entry.body.token) putDown();
  await offers.after();
  rest.worked();
}

async function refusedDecision(entry, refused) {
  const answer = t(`judgement.${entry.body.judgement}`);
  if (refused.word === "lease_lost") {
    lost(t("cover.lost_answer", { part: entry.part, answer, why: refused.message }));
    return;
  }
  toast(t("said.refused", { part: entry.part, why: refused.message }), "warn");
  await offers.after();
}

// What was taken back lies in the person's hands again; what they held meanwhile comes after it.
async function bringBack(part) {
  while (state.busy) await new Promise((done) => setTimeout(done, SOON_MS));
  state.busy = true;
  refresh();
  let visit = null;
  try {
    for (let tries = 0; visit === null && tries < BACK_TRIES; tries += 1) {
      ({ visit } = await post("/api/undo/visit").catch(() => ({ visit: null })));
      if (visit === null) await new Promise((done) => setTimeout(done, BACK_MS));
    }
    if (visit !== null) {
      ahead.drop();
      hold(visit);
    }
  } finally {
    state.busy = false;
    refresh();
  }
  toast(t(visit === null ? "undo.waits" : "undo.back", { part }), "warn");
}

async function giveBack(how, word) {
  const { visit } = state;
  if (!visit || state.busy) { toast(t(visit ? "lock.busy" : "lock.nothing"), "warn"); return; }
  state.busy = true;
  refresh();
  try {
    await post(`/api/slots/${visit.slot_id}/${how}`, { token: visit.token });
    putDown();
    if (how === "release") {
      ahead.drop();
      state.resting = true;
      cover(t(word), t("cover.given_back"));
    } else toast(t("said.skipped"), "warn");
  } catch (refused) {
    if (refused.word === "lease_lost") lost(refused.message);
    else banner(refused.message);
  } finally {
    state.busy = false;
    refresh();
  }
  if (how === "skip" && !state.visit && byId("cover").hidden) await offers.next();
}

wire({ judge, giveBack, refresh, offers, scan, nextClass: () => { nextClass(); refresh(); } }, bench, compare, undo);
follow((queue) => {
  if (state.idle && !state.resting && queue?.live && queue.lines.some((line) => line.waiting > 0)) offers.next();
});
// What could not be sent before this page was opened goes first; then the next visit.
state.busy = outbox.entries().length > 0;
outbox.flush().then(async () => {
  state.busy = false;
  const chosen = new URLSearchParams(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
  if (chosen.has("take")) await offers.scanned(chosen.get("take"), chosen.get("name"));
  if (!state.visit) await offers.next();
});
