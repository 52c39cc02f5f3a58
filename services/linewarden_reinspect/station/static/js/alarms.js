// The page of alarms: what stands, live; what people do with it; and the history for the hand-over.
import { get, post } from "./api.js";
import { follow } from "./bar.js";
import { learnClock, serverNow } from "./clock.js";
import { byId, duration, element } from "./dom.js";
import { t } from "./texts.js";

const page = document.querySelector("main").dataset;
const mayAcknowledge = "acknowledge" in page;
const mayShelve = "shelve" in page;
let seen = null;

const path = (alarm, act) => `/api/alarms/${encodeURIComponent(alarm.alarm_id)}/${act}`;
const titleOf = (alarm) => [t(`alarm.kind.${alarm.kind}`), alarm.subject].filter(Boolean).join(" · ");
const clock = (ms) => new Date(ms).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" });

function tell(text) {
  byId("problem").textContent = text ?? "";
  byId("problem").hidden = !text;
}

async function attempt(act) {
  tell(null);
  try {
    await act();
  } catch (error) {
    tell(error.told || error.message);
  }
  await history();
}

function wish(alarm, doing) {
  const dialog = byId("wish");
  const form = dialog.querySelector("form");
  form.reset();
  byId("wish-title").textContent = `${t(`alarm.doing.${doing}`)}: ${titleOf(alarm)}`;
  byId("wish-do").textContent = t(`alarm.doing.${doing}`);
  byId("wish-for").hidden = doing !== "shelve";
  dialog.onclose = () => {
    if (dialog.returnValue !== "do") return;
    const minutes = doing === "shelve" ? Number(form.elements.minutes.value) : null;
    attempt(() => post(path(alarm, "wish"), { doing, occurrence: alarm.occurrence, minutes, comment: form.elements.comment.value }));
  };
  dialog.returnValue = "";
  dialog.showModal();
}

function button(text, act, primary = false) {
  const made = element("button", { type: "button", class: primary ? "primary" : false }, text);
  made.addEventListener("click", act);
  return made;
}

function acts(alarm) {
  const made = [];
  const asked = (doing) => button(t(`alarm.doing.${doing}`), () => wish(alarm, doing));
  if (mayAcknowledge && alarm.is_new) made.push(button(t("alarm.doing.acknowledge"), () => attempt(() => post(path(alarm, "acknowledge"), { occurrence: alarm.occurrence })), true));
  if (mayShelve) {
    if (alarm.stage === "shelved") made.push(asked("unshelve"));
    else if (alarm.stage === "out_of_service") made.push(asked("restore"));
    else {
      if (alarm.is_latched) made.push(asked("reset"));
      made.push(asked("shelve"), asked("remove"));
    }
  }
  return element("div", { class: "acts" }, ...made);
}

function stateOf(alarm) {
  if (alarm.stage === "shelved") return t("alarms.shelved_until", { time: clock(alarm.until_ms), who: alarm.aside_by });
  if (alarm.stage === "out_of_service") return t("alarms.removed_by", { who: alarm.aside_by });
  if (alarm.acknowledged_by) return t("alarms.known_to", { stage: t(`alarm.stage.${alarm.stage}`), who: alarm.acknowledged_by });
  return t(`alarm.stage.${alarm.stage}`);
}

function since(alarm) {
  if (!alarm.began_ms) return "";
  const words = [t("alarms.for", { age: duration(serverNow() - alarm.began_ms) })];
  if (alarm.repeats) words.push(t("alarms.repeats", { count: alarm.repeats }));
  if (alarm.is_chattering) words.push(t("alarms.chatters"));
  return words.join(" · ");
}

function card(alarm) {
  const follows = (alarm.follows ?? []).map((one) => element("li", {}, [titleOf(one), one.detail].filter(Boolean).join(": ")));
  const simulated = alarm.is_simulated ? element("span", { class: "chip quiet" }, t("alarms.simulated")) : null;
  return element("article", { class: "alarm", "data-priority": alarm.priority, "data-new": Boolean(alarm.is_new), "data-alarm": alarm.alarm_id },
    element("div", { class: "state" }, element("span", { class: "chip", "data-priority": alarm.priority }, t(`alarm.priority.${alarm.priority}`)), simulated, element("small", {}, stateOf(alarm))),
    element("div", {}, element("h3", {}, titleOf(alarm)), element("p", { class: "detail" }, alarm.detail), element("p", { class: "do" }, t(`alarm.do.${alarm.kind}`)),
      element("small", {}, [alarm.line_id, since(alarm)].filter(Boolean).join(" · "))),
    acts(alarm),
    follows.length ? element("details", {}, element("summary", {}, t("alarms.follows", { count: follows.length })), element("ul", {}, ...follows)) : null);
}

// Redrawn only where something differs: a person may be about to press a button of it.
function fill(id, alarms, empty) {
  const box = byId(id);
  const state = JSON.stringify(alarms);
  if (box.dataset.state === state) return;
  const open = new Set([...box.querySelectorAll("article:has(details[open])")].map((one) => one.dataset.alarm));
  box.dataset.state = state;
  box.replaceChildren(...(alarms.length ? alarms.map(card) : [element("p", { class: "quiet-list" }, empty)]));
  for (const one of box.querySelectorAll("article")) if (open.has(one.dataset.alarm)) one.querySelector("details")?.setAttribute("open", "");
}

function render() {
  const fresh = seen.rows.filter((row) => row.is_new).length;
  byId("headline").textContent = seen.rows.length ? t("alarms.count", { count: seen.rows.length, fresh }) : t("alarms.none");
  const unkept = seen.lines.filter((line) => !line.is_kept).map((line) => t("alarms.unkept", { line: line.line_id, time: clock(line.said_ms) }));
  if (!seen.lines.length) unkept.push(t("alarms.never_kept"));
  byId("unkept").textContent = unkept.join(" ");
  byId("unkept").hidden = !unkept.length;
  const words = seen.demand ? [t(`alarm.demand.${seen.demand}`)] : [];
  if (seen.lines.some((line) => line.is_flood)) words.push(t("alarms.flood"));
  byId("demand").hidden = !words.length;
  byId("demand").dataset.ask = seen.demand ?? "slower";
  byId("demand").textContent = words.join(" ");
  fill("rows", seen.rows, t("alarms.none"));
  fill("aside", seen.aside, "");
  byId("aside-panel").hidden = !seen.aside.length;
}

async function history() {
  const hours = byId("span").elements.hours.value || 8;
  const told = await get(`/api/alarms/history?hours=${encodeURIComponent(hours)}`).catch((error) => { tell(error.told || error.message); return null; });
  if (told === null) return;
  const cell = (...content) => element("td", {}, ...content);
  const rows = told.steps.map((one) => element("tr", {},
    element("td", { class: "num" }, clock(one.at_ms)), element("td", { class: "wrap" }, [titleOf(one.alarm), one.alarm.detail].filter(Boolean).join(": ")),
    cell(t(`alarm.step.${one.step}`)), cell(one.actor ?? ""), element("td", { class: "wrap" }, one.comment)));
  byId("steps").replaceChildren(...(rows.length ? rows : [element("tr", {}, element("td", { colspan: 5 }, t("history.nothing")))]));
  byId("left-out").hidden = !told.left_out;
  byId("left-out").textContent = told.left_out ? t("alarms.left_out", { count: told.left_out }) : "";
}

const source = new EventSource("/api/alarms/events");
source.addEventListener("alarms", (event) => {
  const before = seen && JSON.stringify([seen.rows, seen.aside]);
  seen = JSON.parse(event.data);
  learnClock(seen.now_ms);
  render();
  if (before !== JSON.stringify([seen.rows, seen.aside])) history();
});
byId("span").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => undefined);
});
follow(() => undefined);
