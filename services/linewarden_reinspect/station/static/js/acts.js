// What keys and buttons do on the review page.
import { byId } from "./dom.js";
import { labelKeys, listen } from "./keys.js";
import { openKeys } from "./keys_dialog.js";
import { toast } from "./tell.js";
import { t } from "./texts.js";

// `flow`: what the page does, how visits come, and the field for scans.
export function wire({ judge, giveBack, refresh, offers, nextClass, scan }, bench, compare, undo) {
  // The overlays open after the first answer; a key that is locked says so.
  const told = (act) => () => (bench.told ? act() : toast(t("lock.overlays"), "warn"));
  const acts = {
    accept: (event) => judge("OK", event), reject: (event) => judge("NG", event), unsure: (event) => judge("UNSURE", event), undo: () => undo.act(),
    release: () => giveBack("release", "cover.released"), skip: () => giveBack("skip"),
    mask: told(() => bench.toggleMask()), heat: told(() => bench.nextHeat()), previous: () => bench.step(-1), next: () => bench.step(1),
    pan_left: () => bench.pan(1, 0), pan_right: () => bench.pan(-1, 0), pan_up: () => bench.pan(0, 1), pan_down: () => bench.pan(0, -1),
    alone: () => bench.alone(), closer: () => bench.active?.zoom("in"), farther: () => bench.active?.zoom("out"),
    fit: () => bench.active?.zoom("fit"), one: () => bench.active?.zoom("one"),
    compare: () => compare.toggle(), reference: () => compare.next(), defect_class: nextClass,
    draw: () => bench.draw(), erase: () => bench.wipe(), thinner: () => bench.thickness(-1), thicker: () => bench.thickness(1),
    unstroke: () => bench.unstroke(), take_mask: told(() => bench.takeMask()),
    scan: () => scan.focus(), go: () => offers.next(true), help: openKeys,
  };
  listen(acts, (code, isWhole) => scan.read(code, isWhole));
  labelKeys();
  for (const button of document.querySelectorAll("[data-judge]")) button.addEventListener("click", (event) => judge(button.dataset.judge, event));
  for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => bench.active?.zoom(button.dataset.zoom));
  for (const button of document.querySelectorAll("[data-act]")) button.addEventListener("click", () => acts[button.dataset.act]());
  byId("opacity").addEventListener("input", (event) => bench.strength(Number(event.target.value)));
  byId("defect-class").addEventListener("change", () => refresh());
}
