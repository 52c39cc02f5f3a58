// The story of a part: times in the person's own, and each view with the map that is chosen over it.
import { follow } from "./bar.js";
import { loadGrey, paintHeat, paintMask } from "./colours.js";

for (const time of document.querySelectorAll("time[data-ms]")) {
  time.textContent = new Date(Number(time.dataset.ms)).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" });
}
follow(() => undefined);

for (const view of document.querySelectorAll(".story-view")) {
  const shot = view.querySelector(".shot");
  const gone = () => {
    view.querySelector(".stack").hidden = true;
    view.querySelector(".gone").hidden = false;
  };
  shot?.addEventListener("error", gone);
  if (shot?.complete && !shot.naturalWidth) gone();
  for (const button of view.querySelectorAll("[data-layer]")) button.addEventListener("click", () => paint(view, button));
}

// A map that nobody kept leaves the plain picture, and its button says so by staying unpressed.
async function paint(view, button) {
  const canvas = view.querySelector(".heat");
  const { layer } = button.dataset;
  canvas.hidden = true;
  if (layer) {
    const grey = await loadGrey(`${canvas.dataset.path}${layer}`).catch(() => null);
    button.disabled = grey === null;
    if (grey === null) return;
    (layer === "mask" ? paintMask : paintHeat)(canvas, grey);
    canvas.hidden = false;
  }
  for (const other of view.querySelectorAll("[data-layer]")) other.setAttribute("aria-pressed", String(other === button));
}
