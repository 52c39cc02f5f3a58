// The visit in words: what it is, why it waits, what the machine said of each view.
import { serverNow } from "./bar.js";
import { byId, duration, element, shortVisit } from "./dom.js";

function meter(word, value, kind) {
  if (value === null || value === undefined) return null;
  const fill = element("i", { class: kind });
  fill.style.width = `${Math.min(100, Math.max(2, value * 100))}%`;
  return element("span", { class: "meter" }, element("span", {}, word), element("span", { class: "num" }, value.toFixed(2)), element("span", { class: "rail" }, fill));
}

function viewCard(frame, tile, onPick) {
  const kind = { OK: "chip good", NG: "chip bad" }[frame.verdict] ?? "chip";
  const card = element("button", { type: "button", class: "view", "data-active": tile?.root.hasAttribute("data-active") },
    element("b", {}, frame.view_id), element("span", { class: kind }, frame.verdict_text),
    element("span", { class: "meters" }, meter("suspicion", frame.suspicion, "suspect"), meter("p(defect)", frame.p_defect, "defect")));
  card.addEventListener("click", () => onPick(tile));
  return card;
}

export function describe(visit, tiles, onPick) {
  byId("part").textContent = visit.part_id ?? `Visit ${shortVisit(visit.visit_id)}`;
  byId("ident").textContent = [visit.line_id, visit.product_id, `recipe ${visit.recipe}`, `waits ${duration(serverNow() - visit.opened_ms)}`].filter(Boolean).join(" · ");
  byId("ident").title = visit.visit_id;
  byId("causes").replaceChildren(...visit.causes.map((cause) => element("div", { class: "cause" }, element("span", { class: "chip" }, cause.short), cause.text)));
  const missing = visit.missing_views.map((view) => `there is no picture of view ${view}`);
  const reasons = [...new Set([...visit.reasons, ...missing])].filter((reason) => !visit.causes.some((cause) => cause.text === reason));
  byId("reasons").replaceChildren(...reasons.map((reason) => element("li", {}, reason)));
  const of = (frame) => tiles.find((tile) => tile.frame.frame_id === frame.frame_id);
  byId("views").replaceChildren(...visit.frames.map((frame) => viewCard(frame, of(frame), onPick)));
}

export function empty() {
  byId("part").textContent = "—";
  for (const id of ["causes", "reasons", "views"]) byId(id).replaceChildren();
  byId("ident").textContent = "\u00a0";
}
