// The queue's page: what waits on each line, what comes next, who holds what.
import { banner, follow, serverNow } from "./bar.js";
import { byId, duration, element, shortVisit } from "./dom.js";

const MOST_ROWS = 8;
let queue = null;

const visitOf = (slot) => shortVisit(slot.slot_id.replace(/\.r\d+\.g\d+$/, ""));
const due = (slot, now) =>
  slot.due_ms < now
    ? element("td", { class: "num" }, element("span", { class: "late" }, `${duration(now - slot.due_ms)} over`))
    : element("td", { class: "num" }, `in ${duration(slot.due_ms - now)}`);

function lineCard(line, now) {
  const late = line.ready + line.dead > 0 && line.next_due_ms < now;
  const level = late ? "late" : line.ready + line.dead > 0 ? "waits" : "clear";
  const age = line.oldest_ms ? `oldest waits ${duration(now - line.oldest_ms)}` : "nothing waits";
  const fact = (count, word) => element("span", {}, element("b", {}, String(count)), ` ${word}`);
  return element("article", { class: "panel line", "data-level": level },
    element("h2", {}, line.line_id), element("span", { class: "big" }, String(line.ready + line.dead)),
    element("span", { class: late ? "late" : "muted" }, age),
    element("div", { class: "more" }, fact(line.leased, "in hands"), fact(line.parked, "being recorded"), fact(line.dead, "for a lead")));
}

function rows(body, slots, cells, empty, width) {
  const made = slots.slice(0, MOST_ROWS).map((slot) => element("tr", {}, ...cells(slot)));
  if (slots.length > MOST_ROWS) made.push(element("tr", { class: "empty" }, element("td", { colspan: width }, `and ${slots.length - MOST_ROWS} more`)));
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
  const waiting = queue.lines.reduce((sum, line) => sum + line.ready + line.dead, 0);
  byId("headline").textContent = waiting === 0 ? "Nothing waits. New visits appear here by themselves." :
    `${waiting} ${waiting === 1 ? "visit" : "visits"} on ${queue.lines.length} ${queue.lines.length === 1 ? "line" : "lines"}, the most urgent first.`;
  byId("lines").replaceChildren(...queue.lines.map((line) => lineCard(line, now)));
  const chip = (slot) => element("td", {}, element("span", { class: "chip" }, slot.cause));
  const waits = (slot) => element("td", { class: "num" }, duration(now - slot.opened_ms));
  rows("ready", of("ready"), (slot) => [...cells(slot), chip(slot), waits(slot), due(slot, now)], "Nothing waits.", 5);
  rows("leased", of("leased"), (slot) => [...cells(slot), element("td", {}, slot.holder), element("td", { class: "num" }, duration(slot.until_ms - now))], "Nobody holds a visit.", 4);
  const dead = of("dead");
  byId("dead-title").hidden = byId("dead-table").hidden = dead.length === 0;
  rows("dead", dead, (slot) => [...cells(slot), chip(slot), waits(slot)], "", 4);
}

follow((news) => {
  banner(news === null ? "The queue cannot be reached. Nothing is lost: it comes back from the log by itself." : null);
  queue = news ?? queue;
  render();
});
setInterval(render, 1000);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.target.closest("a, button, input")) location.assign("/review");
});
