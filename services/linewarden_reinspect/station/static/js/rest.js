// A break is offered after a set time on task, between two visits and never during one.
import { get } from "./api.js";
import { byId } from "./dom.js";
import { t } from "./texts.js";

const KEY = "linewarden-on-task";
const PAUSE_MS = 300_000;
const LATER_MS = 600_000;

export class Rest {
  // onRest: the person goes.
  constructor(onRest) {
    this.afterMs = get("/api/me").then((me) => me.break_after_s * 1000).catch(() => Infinity);
    this.keep(this.kept()); // the time on task runs from the opened page, not from the first decision
    byId("rest-go").addEventListener("click", () => { this.begin(); byId("rest-dialog").close(); onRest(); });
    byId("rest-later").addEventListener("click", () => { this.keep({ ...this.kept(), askAgain: Date.now() + LATER_MS }); byId("rest-dialog").close(); });
    byId("rest-dialog").addEventListener("cancel", (event) => event.preventDefault());
  }

  kept() { return JSON.parse(sessionStorage.getItem(KEY) ?? "null") ?? { since: Date.now(), last: Date.now(), askAgain: 0 }; }
  keep(times) { sessionStorage.setItem(KEY, JSON.stringify(times)); }
  begin() { this.keep({ since: Date.now(), last: Date.now(), askAgain: 0 }); }

  // One visit was decided; after a long pause the time on task begins anew.
  async worked() {
    const afterMs = await this.afterMs;
    const times = this.kept();
    if (Date.now() - times.last > PAUSE_MS) { this.begin(); return; }
    this.keep({ ...times, last: Date.now() });
    const onTask = Date.now() - times.since;
    if (onTask < afterMs || Date.now() < times.askAgain) return;
    byId("rest-text").textContent = t("rest.text", { minutes: Math.round(onTask / 60_000) });
    byId("rest-dialog").showModal();
  }
}
