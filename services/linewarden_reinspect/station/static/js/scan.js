// A scanner types what a part or its bin place is called, and Enter: into the field, or wherever the focus is.
import { post } from "./api.js";
import { byId } from "./dom.js";
import { t } from "./texts.js";

const KEPT = "linewarden-scan-only";
const CODE = /^[A-Za-z0-9._-]{1,128}$/;

export class Scan {
  // onCode(code): the person wants this part. onOnly(): whether visits come by scan alone was changed.
  constructor({ onCode, onOnly }) {
    this.onCode = onCode;
    byId("scan").addEventListener("submit", (event) => {
      event.preventDefault();
      const code = byId("scan-code").value.trim();
      this.leave();
      if (code) this.read(code);
    });
    byId("scan-code").addEventListener("keydown", (event) => event.key === "Escape" && this.leave());
    byId("scan-only").addEventListener("click", () => {
      localStorage.setItem(KEPT, this.only ? "" : "1");
      this.show();
      onOnly();
    });
    this.show();
  }

  // Whether visits are taken by scanning alone, at this computer.
  get only() { return localStorage.getItem(KEPT) === "1"; }

  show() { byId("scan-only").setAttribute("aria-pressed", String(this.only)); }

  focus() { byId("scan-code").focus(); }

  leave() {
    byId("scan-code").value = "";
    byId("scan-code").blur();
  }

  read(code, isWhole = true) {
    if (isWhole && CODE.test(code)) this.onCode(code);
    else this.say("scan.unreadable", { code });
  }

  // The visit of a scanned part; null where it is refused, which is said.
  async claim(code, name = code) {
    this.say("scan.asking", { code: name });
    try {
      const { visit } = await post("/api/claim", { code });
      this.say("scan.given", { code: name });
      return visit;
    } catch (refused) {
      if (refused.details.why) this.say(`scan.${refused.details.why}`, { ...refused.details, code: name });
      else this.tell(refused.message, "refused");
      return null;
    }
  }

  say(key, values) { this.tell(t(key, values), ["scan.asking", "scan.given"].includes(key) ? "fine" : "refused"); }

  tell(text, kind) {
    byId("scan-say").textContent = text;
    byId("scan-say").dataset.kind = kind;
  }
}
