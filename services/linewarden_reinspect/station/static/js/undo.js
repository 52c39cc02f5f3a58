// The newest decision can be taken back for a while; the time that is left is on the button.
import { get, post } from "./api.js";
import { serverNow } from "./bar.js";
import { byId } from "./dom.js";
import { t } from "./texts.js";

const KEY = "linewarden-undo";

export class Undo {
  constructor(say) {
    Object.assign(this, { say, until: 0, busy: false });
    setInterval(() => this.tick(), 250);
    this.remember();
  }

  // After a reload: the station knows whether there is something to undo, this computer until when.
  async remember() {
    const me = await get("/api/me").catch(() => ({ undoable: null }));
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    if (kept && kept.decision_id === me.undoable) this.until = kept.until;
    this.tick();
  }

  open(decision, windowMs) {
    this.until = serverNow() + windowMs;
    sessionStorage.setItem(KEY, JSON.stringify({ decision_id: decision.decision_id, until: this.until }));
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
    if (this.busy || this.leftMs === 0) return;
    this.busy = true;
    try {
      await post("/api/undo");
      this.until = 0;
      this.say(t("undo.done"), "warn");
    } catch (refused) {
      this.say(t("undo.failed", { why: refused.message }), "warn");
    } finally {
      this.busy = false;
      this.tick();
    }
  }
}
