// How a visit comes to the person: the most urgent one by itself, the one that was shown ahead, or the one scanned.
import { post } from "./api.js";
import { banner } from "./bar.js";
import { cover } from "./tell.js";
import { t } from "./texts.js";

const RETRY_MS = 2000;

export class Offers {
  // state: the page's, shared. hold(visit), putDown(), refresh() of the page; scan: the field.
  constructor(state, { hold, putDown, refresh, scan }) {
    Object.assign(this, { state, hold, putDown, refresh, scan });
  }

  // Where visits come by scanning alone, one comes without it only where the page waits for a scan and is asked.
  async next(isAsked = false) {
    const { state } = this;
    if (state.busy || state.visit) return;
    state.idle = state.resting = false;
    if (this.scan.only && !(isAsked && state.waiting)) this.waitForScan();
    else await this.alone(() => this.claim());
  }

  waitForScan() {
    this.state.waiting = true;
    cover(t("cover.scan"), t("cover.scan_text"), "cover.without_scan");
  }

  async claim() {
    try {
      const answer = await post("/api/claim");
      banner(null);
      if (answer.visit) this.hold(answer.visit);
      else this.nothing();
    } catch (refused) {
      this.away(t(refused.word === "queue_away" ? "cover.moment" : "cover.away"), refused.message);
    }
  }

  // `code` as it was scanned, or a slot that was chosen from a list, which people know by another `name`.
  async scanned(code, name = code) {
    if (this.state.busy) { this.scan.say("scan.busy", { code: name }); return; }
    await this.alone(async () => {
      const visit = await this.scan.claim(code, name);
      if (visit) this.hold(visit);
    });
  }

  // After a decision: the visit that is shown already becomes ours, or another one is offered.
  async after() {
    const shown = this.state.visit;
    if (this.scan.only && !shown) { this.waitForScan(); return; }
    const answer = await post("/api/claim").catch(() => null);
    if (answer?.visit) {
      if (shown && shown.token !== answer.visit.token) this.putDown();
      this.hold(answer.visit);
      return;
    }
    this.putDown();
    if (answer) this.nothing();
    else this.away(t("cover.away"), t("error.offline"));
  }

  nothing() {
    this.state.idle = true;
    cover(t("cover.nothing"), t("cover.nothing_text"), "cover.look");
  }

  away(title, text) {
    this.state.idle = true;
    cover(title, text, "cover.again");
    setTimeout(() => this.state.idle && this.next(true), RETRY_MS);
  }

  // Nothing else is begun meanwhile.
  async alone(act) {
    this.state.busy = true;
    this.refresh();
    try {
      await act();
    } finally {
      this.state.busy = false;
      this.refresh();
    }
  }
}
