// The bar on top of every page: live updates, the count, the banner, sign-out.
import { post } from "./api.js";
import { byId } from "./dom.js";
import { t } from "./texts.js";

let clockSkew = 0;
export const serverNow = () => Date.now() + clockSkew;
export const learnClock = (nowMs) => { clockSkew = nowMs - Date.now(); };

export function banner(text) {
  byId("banner").textContent = text ?? "";
  byId("banner").hidden = !text;
}

function show(state, text) {
  byId("live").dataset.state = state;
  byId("live-text").textContent = text;
}

export function follow(onQueue) {
  const source = new EventSource("/api/events");
  source.addEventListener("queue", (event) => {
    const queue = JSON.parse(event.data);
    if (queue === null) show("off", t("bar.queue_away"));
    else if (!queue.live) show("wait", t("bar.catching_up"));
    else show("on", t("bar.live"));
    if (queue !== null) {
      learnClock(queue.now_ms);
      const ready = queue.lines.reduce((sum, line) => sum + line.ready, 0);
      byId("bar-count").textContent = ready;
      byId("bar-count").hidden = ready === 0;
    }
    onQueue(queue);
  });
  source.addEventListener("error", () => show("off", t("bar.station_away")));
}

byId("sign-out")?.addEventListener("click", async () => {
  await post("/api/sign-out").catch(() => undefined);
  location.assign("/sign-in");
});
