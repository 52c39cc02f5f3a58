// The bar on top of every page: live updates, the count, the banner, sign-out.
import { get, post } from "./api.js";
import { learnClock } from "./clock.js";
import { byId } from "./dom.js";
import { t } from "./texts.js";

const AGAIN_MS = 2000;

export function banner(text) {
  byId("banner").textContent = text ?? "";
  byId("banner").hidden = !text;
}

function show(state, text) {
  byId("live").dataset.state = state;
  byId("live-text").textContent = text;
}

// More to review than people can: the worst that a line is asked for, with all of it in words.
function showDemands(demands) {
  const ask = demands.some((one) => one.ask === "stop") ? "stop" : "slow";
  const box = byId("bar-ask");
  const text = demands.length ? t(`bar.ask.${ask}`) : "";
  if (box.textContent !== text) box.textContent = text; // said once, and not with every look
  box.hidden = !demands.length;
  box.dataset.ask = ask;
  box.title = demands.map((one) => t(`queue.ask.${one.ask}`, { line: one.line_id, recipe: one.recipe_id })).join(" ");
}

function tellCount(id, count) {
  byId(id).textContent = count;
  byId(id).hidden = count === 0;
}

// A stream that broke: the station is away only where it does not answer; where the session is over, the way in comes.
async function lookAfter(source, again) {
  const isHere = await fetch("/healthz").then((answer) => answer.ok).catch(() => false);
  if (!isHere) show("off", t("bar.station_away"));
  else if (source.readyState !== EventSource.OPEN) show("wait", t("bar.connecting"));
  if (source.readyState !== EventSource.CLOSED) return;
  if (isHere) await get("/api/me").catch(() => undefined);
  setTimeout(again, AGAIN_MS);
}

export function follow(onQueue) {
  document.querySelector(".bar nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  const source = new EventSource("/api/events");
  source.addEventListener("queue", (event) => {
    const queue = JSON.parse(event.data);
    if (queue === null) show("off", t("bar.queue_away"));
    else if (!queue.live) show("wait", t("bar.catching_up"));
    else show("on", t("bar.live"));
    if (queue !== null) {
      learnClock(queue.now_ms);
      const total = (count) => queue.lines.reduce((sum, line) => sum + count(line), 0);
      tellCount("bar-count", total((line) => line.ready));
      tellCount("bar-inbox", queue.lead ? total((line) => line.dead) : 0);
      showDemands(queue.demands);
    }
    onQueue(queue);
  });
  source.addEventListener("error", () => lookAfter(source, () => follow(onQueue)));
}

byId("sign-out")?.addEventListener("click", async () => {
  await post("/api/sign-out").catch(() => undefined);
  location.assign("/sign-in");
});
