// One key, one act. A person may bind other keys: localStorage "linewarden-keys" = {"accept": ["a"]}.
const DEFAULTS = {
  accept: { keys: ["o"], says: "Accept the part" },
  reject: { keys: ["n"], says: "Reject the part" },
  unsure: { keys: ["?"], says: "Unsure: hand it to a lead" },
  undo: { keys: ["u"], says: "Undo my last decision" },
  release: { keys: ["r"], says: "Give the visit back" },
  skip: { keys: ["s"], says: "Not me, not now" },
  mask: { keys: ["m"], says: "Mask on or off" },
  heat: { keys: ["h"], says: "Heatmap: off, defect, unusual" },
  previous: { keys: ["ArrowLeft", "ArrowUp"], says: "View before" },
  next: { keys: ["ArrowRight", "ArrowDown"], says: "View after" },
  alone: { keys: ["f"], says: "One view alone, or all" },
  closer: { keys: ["+", "="], says: "Zoom in (or the wheel)" },
  farther: { keys: ["-"], says: "Zoom out" },
  fit: { keys: ["0"], says: "Fit" },
  one: { keys: ["1"], says: "One to one" },
  go: { keys: ["Enter"], says: "Next visit, where one is offered" },
  help: { keys: ["F1"], says: "This help" },
};

function bindings() {
  const own = JSON.parse(localStorage.getItem("linewarden-keys") ?? "{}");
  return Object.entries(DEFAULTS).map(([act, { keys, says }]) => ({ act, keys: own[act] ?? keys, says }));
}

export function listen(acts) {
  const byKey = new Map(bindings().flatMap(({ act, keys }) => keys.map((key) => [key.toLowerCase(), act])));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const act = byKey.get(event.key.toLowerCase());
    if (!act || (act === "go" && event.target.closest("button, a"))) return;
    if (event.target.closest("input") && act !== "help") return;
    event.preventDefault();
    if (!event.repeat || ["closer", "farther", "next", "previous"].includes(act)) acts[act]();
  });
}

export function describeKeys(list, element) {
  const word = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };
  const shown = (key) => word[key] ?? (key.length === 1 ? key.toUpperCase() : key);
  list.replaceChildren(...bindings().flatMap(({ keys, says }) => [
    element("dt", {}, ...keys.map((key) => element("kbd", {}, shown(key)))), element("dd", {}, says)]));
}
