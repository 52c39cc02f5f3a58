// The queue's page: what waits on each line, what comes next, who holds what.
import { banner, follow } from "./bar.js";
import { serverNow } from "./clock.js";
import { byId, duration, element, partName } from "./dom.js";
import { t } from "./texts.js";

const MOST_ROWS = 8;
let queue = null;

const nameOf = (slot) => partName({ part_id: slot.part_id, visit_id: slot.slot_id.replace(/\.r\d+\.g\d+$/, "") });

// More to review than people can: the line is asked to slow down or to stop.
function demand({ ask, line_id: line, recipe_id: recipe }) {
  return element("p", { class: "demand", "data-ask": ask }, t(`queue.ask.${ask}`, { line, recipe }));
}

function lineCard(line, now) {
  const { waiting } = line;
  const age = line.oldest_ms ? t("queue.oldest", { age: duration(now - line.oldest_ms) }) : t("queue.clear");
  const fact = (count, word) => element("span", {}, element("b", {}, String(count)), ` ${word}`);
  return element("article", { class: "panel line", "data-level": waiting > 0 ? "waits" : "clear" },
    element("h2", {}, line.line_id), element("span", { class: "big" }, String(waiting)), element("span", { class: "muted" }, age),
    element("div", { class: "more" }, fact(line.leased, t("queue.leased")), fact(line.parked, t("queue.parked")), fact(line.dead, t("queue.dead"))));
}

// `count` is how many there are, of which `slots` may name some.
function rows(body, slots, cells, empty, width, count = slots.length) {
  const made = slots.slice(0, MOST_ROWS).map((slot) => element("tr", {}, ...cells(slot)));
  if (count > made.length && made.length) made.push(element("tr", { class: "empty" }, element("td", { colspan: width }, t("queue.more", { count: count - made.length }))));
  if (!made.length) made.push(element("tr", { class: "empty" }, element("td", { colspan: width }, empty)));
  byId(body).replaceChildren(...made);
}

function cells(slot) {
  return [element("td", { class: "id", title: slot.slot_id }, nameOf(slot)), element("td", {}, slot.line_id)];
}

function render() {
  if (queue === null) return;
  const now = serverNow();
  const of = (state) => queue.slots.filter((slot) => slot.state === state);
  const total = (of_line) => queue.lines.reduce((sum, line) => sum + of_line(line), 0);
  const count = total((line) => line.waiting);
  byId("headline").textContent = count > 1 ? t("queue.many", { count }) : t(count === 1 ? "queue.one" : "queue.none");
  byId("demands").replaceChildren(...(queue.demands ?? []).map(demand));
  byId("lines").replaceChildren(...queue.lines.map((line) => lineCard(line, now)));
  const waits = (slot) => element("td", { class: "num" }, duration(now - slot.opened_ms));
  rows("ready", of("ready").filter((slot) => !slot.for_lead), (slot) => [...cells(slot), waits(slot)], t(queue.may_take ? "queue.nothing" : "queue.only_counts"), 3, total((line) => line.ready));
  rows("leased", of("leased"), (slot) => [...cells(slot), element("td", {}, slot.holder), element("td", { class: "num" }, duration(slot.until_ms - now))], t("queue.nobody"), 4);
  const inbox = queue.slots.filter((slot) => slot.for_lead && slot.state !== "leased");
  byId("inbox").hidden = !queue.lead;
  byId("inbox-count").textContent = total((line) => line.dead);
  rows("dead", inbox, (slot) => [...cells(slot), element("td", {}, slot.sender || t(`queue.why.${slot.state === "dead" ? "left" : "tie"}`)),
    element("td", { class: "num" }, duration(now - (slot.handed_ms || slot.opened_ms))), element("td", {}, take(slot))], t("queue.inbox_empty"), 5, total((line) => line.dead));
}

// The lead chooses from the inbox; what is chosen is claimed on the review page.
function take(slot) { return element("a", { class: "button", href: `/review#${new URLSearchParams({ take: slot.slot_id, name: nameOf(slot) })}` }, t("queue.take")); }

follow((news) => {
  banner(news === null ? t("queue.away") : null);
  queue = news ?? queue;
  render();
});
setInterval(render, 1000);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.target.closest("a, button, input")) location.assign("/review");
});
