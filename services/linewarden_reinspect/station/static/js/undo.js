// The newest decision can be taken back for a while; the time that is left is on the button.
import { get, post } from "./api.js";
import { serverNow } from "./clock.js";
import { byId } from "./dom.js";
import { t } from "./texts.js";

const KEY = "linewarden-undo";

export class Undo {
  // say(text, kind); isSending(): an answer that is not recorded yet; bringBack(part): the part is wanted again.
  constructor(say, { isSending, bringBack }) {
    Object.assign(this, { say, isSending, bringBack, until: 0, part: "", busy: false });
    setInterval(() => this.tick(), 250);
    this.remember();
  }

  // After a reload: the station knows whether there is something to undo, this computer until when.
  async remember() {
    const me = await get("/api/me").catch(() => ({ undoable: null }));
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    if (kept && kept.decision_id === me.undoable) Object.assign(this, { until: kept.until, part: kept.part });
    this.tick();
  }

  // From when it was decided, not from when the answer came: the window is never shorter than it says.
  open(decision, windowMs, part) {
    Object.assign(this, { until: decision.decided_ms + windowMs, part });
    sessionStorage.setItem(KEY, JSON.stringify({ decision_id: decision.decision_id, until: this.until, part }));
    this.tick();
  }

  get leftMs() { return Math.max(0, this.until - serverNow()); }

  tick() {
    const left = Math.ceil(this.leftMs / 1000);
    byId("undo").disabled = this.busy || left === 0;
    byId("undo-left").textContent = left === 0 ? "" : t("undo.left", { seconds: left });
  }

  // Also while the next visit is on its way: a slip is noticed at once.
  async act() {
    if (this.busy || this.leftMs === 0 || this.isSending()) {
      this.say(t(this.isSending() ? "lock.busy" : "undo.nothing"), "warn");
      return;
    }
    this.busy = true;
    try {
      await post("/api/undo");
      this.until = 0;
      this.say(t("undo.done", { part: this.part }), "warn");
      await this.bringBack(this.part);
    } catch (refused) {
      this.say(t("undo.failed", { why: refused.message }), "warn");
    } finally {
      this.busy = false;
      this.tick();
    }
  }
}
