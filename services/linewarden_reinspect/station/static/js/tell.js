// What is told for a moment, and what covers the page until it is answered.
import { banner } from "./bar.js";
import { byId } from "./dom.js";
import { t } from "./texts.js";

let fading;

// Beside the pictures and never over them, in a place that is kept free.
export function toast(text, kind = "ok") {
  const box = byId("toast");
  box.textContent = text;
  box.dataset.kind = kind;
  box.toggleAttribute("data-on", true);
  clearTimeout(fading);
  fading = setTimeout(() => box.removeAttribute("data-on"), 2600);
}

export function cover(title, text, button = "cover.next") {
  byId("cover-title").textContent = title;
  byId("cover-text").textContent = text;
  byId("cover-next-text").textContent = t(button);
  byId("cover").hidden = false;
  byId("cover-next").focus();
}

// A decision that the station has not confirmed yet; null where none waits any more.
export function tellWaiting(entry, refused, count) {
  banner(entry && t("banner.waits", { count, part: entry.part, answer: t(`judgement.${entry.body.judgement}`), why: refused.message }));
}
