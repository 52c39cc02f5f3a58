// The queue's page: what waits on each line, what comes next, who holds what.
import { banner, follow } from "./bar.js";
import { serverNow } from "./clock.js";
import { byId, duration, element, shortVisit } from "./dom.js";
import { t } from "./texts.js";

const MOST_ROWS = 8;
let queue = null;

const visitOf = (slot) => shortVisit(slot.slot_id.replace(/\.r\d+\.g\d+$/, ""));

// More to review than people can: the line is asked to slow down or to stop.
function demand({ ask, line_id: line, recipe_id: recipe }) {
  return element("p", { class: "demand", "data-ask": ask }, t(`queue.ask.${ask}`, { line, recipe }));
}

function lineCard(line, now) {
  const waiting = line.ready + line.dead;
  const age = line.oldest_ms ? t("queue.oldest", { age: duration(now - line.oldest_ms) }) : t("queue.clear");
  const fact = (count, word) => element("span", {}, element("b", {}, String(count)), ` ${word}`);
  return element("article", { class: "panel line", "data-level": waiting > 0 ? "waits" : "clear" },
    element("h2", {}, line.line_id), element("span", { class: "big" }, String(waiting)), element("span", { class: "muted" }, age),
    element("div", { class: "more" }, fact(line.leased, t("queue.leased")), fact(line.parked, t("queue.parked")), fact(line.dead, t("queue.dead"))));
}

function rows(body, slots, cells, empty, width) {
  const made = slots.slice(0, MOST_ROWS).map((slot) => element("tr", {}, ...cells(slot)));
  if (slots.length > MOST_ROWS) made.push(element("tr", { class: "empty" }, element("td", { colspan: width }, t("queue.more", { count: slots.length - MOST_ROWS }))));
  if (!made.length) made.push(element("tr", { class: "empty" }, element("td", { colspan: width }, empty)));
  byId(body).replaceChildren(...made);
}

function cells(slot) {
  return [element("td", { class: "id", title: slot.slot_id }, visitOf(slot)), element("td", {}, slot.line_id)];
}

function render() {
  if (queue === null) return;
  const now = serverNow();
  const of = (state) => queue.slots.filter((slot) => slot.state === state);
  const count = queue.lines.reduce((sum, line) => sum + line.ready + line.dead, 0);
  byId("headline").textContent = count > 1 ? t("queue.many", { count }) : t(count === 1 ? "queue.one" : "queue.none");
  byId("demands").replaceChildren(...(queue.demands ?? []).map(demand));
  byId("lines").replaceChildren(...queue.lines.map((line) => lineCard(line, now)));
  const waits = (slot) => element("td", { class: "num" }, duration(now - slot.opened_ms));
  rows("ready", of("ready"), (slot) => [...cells(slot), waits(slot)], t("queue.nothing"), 3);
  rows("leased", of("leased"), (slot) => [...cells(slot), element("td", {}, slot.holder), element("td", { class: "num" }, duration(slot.until_ms - now))], t("queue.nobody"), 4);
  const dead = of("dead");
  byId("dead-title").hidden = byId("dead-table").hidden = dead.length === 0;
  rows("dead", dead, (slot) => [...cells(slot), waits(slot)], "", 3);
}

follow((news) => {
  banner(news === null ? t("queue.away") : null);
  queue = news ?? queue;
  render();
});
setInterval(render, 1000);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.target.closest("a, button, input")) location.assign("/review");
});
