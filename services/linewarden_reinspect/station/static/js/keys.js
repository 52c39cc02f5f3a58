// One key, one act. People bind other keys in the dialog of the keys; they are kept on this computer.
import { Burst } from "./burst.js";
import { has, t } from "./texts.js";

const KEPT = "linewarden-keys";
const DEFAULTS = {
  accept: ["o"], reject: ["n"], unsure: ["?"], undo: ["u"], release: ["r"], skip: ["s"],
  previous: ["ArrowLeft", "ArrowUp"], next: ["ArrowRight", "ArrowDown"],
  pan_left: ["Shift+ArrowLeft"], pan_right: ["Shift+ArrowRight"], pan_up: ["Shift+ArrowUp"], pan_down: ["Shift+ArrowDown"],
  closer: ["+", "="], farther: ["-"], fit: ["0"], one: ["1"], alone: ["f"],
  mask: ["m"], heat: ["h"], compare: ["c"], reference: ["v"],
  defect_class: ["k"], draw: ["d"], erase: ["e"], thinner: ["["], thicker: ["]"], unstroke: ["z"], take_mask: ["t"],
  scan: ["F2"], go: ["Enter"], help: ["F1"],
};
const REPEATED = ["closer", "farther", "next", "previous", "pan_left", "pan_right", "pan_up", "pan_down"];
const ARROWS = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };

export const ACTS = Object.keys(DEFAULTS);

function own() {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? "{}");
  } catch {
    return {};
  }
}

export const keysOf = (act) => own()[act] ?? DEFAULTS[act];
export const restoreAll = () => localStorage.removeItem(KEPT);
export const saysOf = (act) => t(`key.${act}`);

// The name under which a pressed key is bound; letters are the same with and without Shift.
export function nameOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return event.shiftKey && key.length > 1 ? `Shift+${key}` : key;
}

export function keyWord(key) {
  const bare = key.replace("Shift+", "");
  const word = ARROWS[bare] ?? (bare.length === 1 ? bare.toUpperCase() : bare);
  return key.startsWith("Shift+") ? `⇧${word}` : word;
}

// Binds one key to an act; answers the act that has the key already, and then changes nothing.
export function bind(act, key) {
  const holder = ACTS.find((one) => one !== act && keysOf(one).includes(key));
  if (holder) return holder;
  localStorage.setItem(KEPT, JSON.stringify({ ...own(), [act]: [key] }));
  return null;
}

// `acts` by their names; `onScan` hears what a scanner typed.
export function listen(acts, onScan) {
  const press = (event) => {
    const key = nameOf(event);
    const act = ACTS.find((one) => keysOf(one).includes(key));
    if (!act || (act === "go" && event.target.closest("button, a"))) return;
    event.preventDefault();
    if (!event.repeat || REPEATED.includes(act)) acts[act]?.(event);
  };
  const burst = new Burst(press, onScan);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const isTyped = event.target.closest("input, select, textarea") && !keysOf("help").includes(nameOf(event));
    if (!isTyped && !burst.holds(event)) press(event);
  });
}

// Writes the keys onto the buttons that say which act they are.
export function labelKeys(root = document) {
  for (const mark of root.querySelectorAll("kbd[data-key]")) mark.textContent = keyWord(keysOf(mark.dataset.key)[0]);
  for (const button of root.querySelectorAll("[data-says]")) {
    if (has(`key.${button.dataset.says}`)) button.title = `${saysOf(button.dataset.says)}  ${keyWord(keysOf(button.dataset.says)[0])}`;
  }
}
