// The help: every act with its key, each to be bound anew by pressing another.
import { byId, element } from "./dom.js";
import { ACTS, bind, keysOf, keyWord, labelKeys, nameOf, restoreAll, saysOf } from "./keys.js";
import { t } from "./texts.js";

let waiting = null;

function row(act) {
  const button = element("button", { type: "button", class: "rebind", "aria-label": t("keys.change", { act: saysOf(act) }) },
    waiting === act ? t("keys.press") : t("keys.change_short"));
  button.addEventListener("click", () => { waiting = waiting === act ? null : act; say(""); render(act); });
  return [element("dt", {}, ...keysOf(act).map((key) => element("kbd", {}, keyWord(key)))), element("dd", { "data-act": act }, element("span", {}, saysOf(act)), button)];
}

const say = (text) => { byId("keys-say").textContent = text; };

function render(focused) {
  byId("help-keys").replaceChildren(...ACTS.flatMap(row));
  if (focused) byId("help-keys").querySelector(`[data-act="${focused}"] button`).focus();
  labelKeys();
}

function pressed(event) {
  if (waiting === null || ["Shift", "Control", "Alt", "Meta", "Tab"].includes(event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  const act = waiting;
  waiting = null;
  if (event.key === "Escape") { render(act); return; }
  const key = nameOf(event);
  const holder = bind(act, key);
  say(holder ? t("keys.taken", { key: keyWord(key), act: saysOf(holder) }) : t("keys.bound", { key: keyWord(key), act: saysOf(act) }));
  render(act);
}

export function openKeys() {
  waiting = null;
  say("");
  render();
  byId("help-dialog").showModal();
}

byId("help-dialog").addEventListener("keydown", pressed);
byId("keys-restore").addEventListener("click", () => { restoreAll(); say(t("keys.restored")); render(); });
