// The visit in words: what it is, and after the first answer why it waits and what the machine said of each view.
import { serverNow } from "./bar.js";
import { byId, duration, element, shortVisit } from "./dom.js";
import { t } from "./texts.js";

function meter(word, value, kind) {
  if (value === null || value === undefined) return null;
  const fill = element("i", { class: kind });
  fill.style.width = `${Math.min(100, Math.max(2, value * 100))}%`;
  return element("span", { class: "meter" }, element("span", {}, word), element("span", { class: "num" }, value.toFixed(2)), element("span", { class: "rail" }, fill));
}

function viewCard(frame, said, tile, onPick) {
  const kind = { OK: "chip good", NG: "chip bad" }[said?.verdict] ?? "chip";
  const card = element("button", { type: "button", class: "view", "data-active": tile?.root.hasAttribute("data-active") },
    element("b", {}, frame.view_id),
    said ? element("span", { class: kind }, t(`verdict.${said.verdict ?? "none"}`)) : null,
    said ? element("span", { class: "meters" }, meter(t("side.suspicion"), said.suspicion, "suspect"), meter(t("side.p_defect"), said.p_defect, "defect")) : null);
  card.addEventListener("click", () => onPick(tile));
  return card;
}

export function describe(visit, tiles, onPick) {
  const { told } = visit;
  byId("part").textContent = visit.part_id ?? t("side.visit", { visit: shortVisit(visit.visit_id) });
  const waits = told ? t("side.waits", { age: duration(serverNow() - told.opened_ms) }) : null;
  byId("ident").textContent = [visit.line_id, visit.product_id, t("side.recipe", { recipe: visit.recipe }), waits].filter(Boolean).join(" · ");
  byId("ident").title = visit.visit_id;
  byId("scale-of").textContent = t("legend.scale", { recipe: visit.recipe });
  tellWhy(visit, told);
  const of = (frame) => tiles.find((tile) => tile.frame.frame_id === frame.frame_id);
  byId("views").replaceChildren(...visit.frames.map((frame) => viewCard(frame, told?.frames[frame.frame_id], of(frame), onPick)));
}

function tellWhy(visit, told) {
  byId("why").hidden = !told && !visit.missing_views.length;
  const causes = told?.causes ?? [];
  byId("causes").replaceChildren(...causes.map((cause) => element("div", { class: "cause" }, element("span", { class: "chip" }, t(`cause.${cause}.short`)), t(`cause.${cause}`))));
  const missing = visit.missing_views.map((view) => t("side.missing", { view }));
  const reasons = (told?.in_words ?? []).concat(...Object.values(told?.frames ?? {}).map((frame) => frame.in_words));
  byId("reasons").replaceChildren(...[...new Set([...reasons, ...missing])].map((reason) => element("li", {}, reason)));
}

// Where the person stands: the first look, or the last word after it.
export function tellStep(visit) {
  const { told } = visit ?? {};
  byId("step").hidden = !visit;
  byId("step").dataset.step = told ? "last" : "first";
  if (!visit) return;
  byId("step-title").textContent = t(told ? "step.last" : "step.first");
  if (!told) byId("step-text").textContent = t("step.first_text");
  else if (!told.blind) byId("step-text").textContent = t("step.known");
  else byId("step-text").textContent = t("step.last_text", { answer: t(`judgement.${told.first}`) });
}

export function empty() {
  byId("part").textContent = "—";
  for (const id of ["causes", "reasons", "views"]) byId(id).replaceChildren();
  byId("why").hidden = true;
  byId("ident").textContent = "\u00a0";
  tellStep(null);
}
