// The defect class that goes with a reject: what the recipe names, chosen or stepped through by a key.
import { byId } from "./dom.js";
import { t } from "./texts.js";

export const chosenClass = () => byId("defect-class").value || null;

export function offerClasses(classes) {
  byId("defect-class").replaceChildren(...["", ...classes].map((name) => new Option(name || t("class.none"), name)));
}

export function nextClass() {
  const choice = byId("defect-class");
  if (!choice.disabled) choice.selectedIndex = (choice.selectedIndex + 1) % choice.options.length;
}
