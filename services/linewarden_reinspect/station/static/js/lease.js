// The time a person has for a visit: counted down, renewed while the page is in view, told when it is lost.
import { actor, post } from "./api.js";
import { serverNow } from "./clock.js";
import { byId, duration } from "./dom.js";
import { t } from "./texts.js";

export class Lease {
  // onRenewed(answer), onLost(message), isSending(): while a decision is on its way nothing else is asked.
  constructor({ onRenewed, onLost, isSending }) {
    Object.assign(this, { onRenewed, onLost, isSending, visit: null });
    setInterval(() => this.tick(), 500);
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.renew());
  }

  hold(visit) {
    this.visit = visit;
    this.whole = Math.max(1, visit.until_ms - visit.now_ms);
    this.tick();
  }

  drop() {
    this.visit = null;
    byId("holder").textContent = byId("left").textContent = "\u00a0";
    byId("lease-bar").firstElementChild.style.width = "0";
  }

  tick() {
    if (!this.visit) return;
    const left = this.visit.until_ms - serverNow();
    const share = Math.min(1, Math.max(0, left / this.whole));
    byId("holder").textContent = t("lease.holder", { name: actor });
    byId("left").textContent = left > 0 ? duration(left) : t("lease.over");
    byId("lease").dataset.level = share < 0.25 ? "low" : "fine";
    byId("lease-bar").setAttribute("aria-valuenow", Math.round(share * 100));
    byId("lease-bar").firstElementChild.style.width = `${share * 100}%`;
    const due = share < 0.7 && document.visibilityState === "visible";
    if (due || left <= 0) this.renew();
  }

  async renew() {
    const visit = this.visit;
    if (!visit || this.asking || this.isSending()) return;
    this.asking = true;
    try {
      const answer = await post(`/api/slots/${visit.slot_id}/renew`, { token: visit.token });
      if (this.visit === visit) { this.hold(answer.visit); this.onRenewed(answer); }
    } catch (refused) {
      if (this.visit === visit && refused.word === "lease_lost") this.onLost(refused.message);
    } finally {
      this.asking = false;
    }
  }
}
