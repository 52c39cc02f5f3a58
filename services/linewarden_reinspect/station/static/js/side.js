// The visit in words: what it is, and after the first answer why it waits; the figures behind a click.
import { get } from "./api.js";
import { serverNow } from "./clock.js";
import { byId, duration, element, partName } from "./dom.js";
import { t } from "./texts.js";

export function describe(visit) {
  byId("part").textContent = partName(visit);
  byId("ident").textContent = [visit.line_id, visit.product_id, t("side.recipe", { recipe: visit.recipe })].filter(Boolean).join(" · ");
  byId("ident").title = visit.visit_id;
  byId("scale-of").textContent = t("legend.scale", { recipe: visit.recipe });
  tellWhy(visit);
}

function tellWhy({ told, missing_views: missing }) {
  byId("why").textContent = told?.sentence ?? "\u00a0";
  byId("why").toggleAttribute("data-closed", !told);
  const reasons = [...(told?.in_words ?? []), ...missing.map((view) => t("side.missing", { view }))];
  byId("reasons").replaceChildren(...[...new Set(reasons)].map((reason) => element("li", {}, reason)));
  byId("figures").toggleAttribute("data-closed", !told);
  const rows = told ? [
    [t("figures.waits"), duration(serverNow() - told.opened_ms)], [t("figures.risk"), told.risk.toFixed(2)],
    [t("figures.due"), new Date(told.due_ms).toLocaleTimeString()],
  ] : [];
  byId("figures-rows").replaceChildren(...rows.flatMap(([word, value]) => [element("dt", {}, word), element("dd", { class: "num" }, value)]));
}

// Where the person stands: the first look, or the last word after it.
export function tellStep(visit) {
  const { told } = visit ?? {};
  byId("step").toggleAttribute("data-closed", !visit);
  byId("step").dataset.step = told ? "last" : "first";
  if (!visit) return;
  byId("step-title").textContent = t(told ? "step.last" : "step.first");
  if (!told) byId("step-text").textContent = t("step.first_text");
  else if (!told.blind) byId("step-text").textContent = t("step.known");
  else byId("step-text").textContent = t("step.last_text", { answer: t(`judgement.${told.first}`) });
}

export function empty() {
  byId("part").textContent = "—";
  byId("reasons").replaceChildren();
  byId("why").textContent = byId("ident").textContent = "\u00a0";
  byId("why").toggleAttribute("data-closed", true);
  byId("figures").toggleAttribute("data-closed", true);
  tellStep(null);
}

const word = (value) => (value === null ? "—" : value.toFixed(2));

function rowOf(view) {
  return element("tr", {}, element("td", {}, view.view_id), element("td", {}, t(`verdict.${view.verdict ?? "none"}`)),
    element("td", { class: "num" }, word(view.p_defect)), element("td", { class: "num" }, word(view.suspicion)));
}

// What the machine thought of the part that was judged last, once it is final: no sooner, or parts that were drawn to
// check the work would be known by it.
async function tellLast() {
  const { last } = await get("/api/last").catch(() => ({ last: null }));
  byId("last-say").textContent = t(last === null ? "last.none" : last.final ? "last.of" : "last.later", { part: last?.part ?? "", answer: last ? t(`judgement.${last.judgement}`) : "" });
  const { causes = [], in_words: words = [] } = last?.figures ?? {};
  byId("last-reasons").replaceChildren(...causes.map((cause) => t(`cause.${cause}`)).concat(words).map((reason) => element("li", {}, reason)));
  byId("last-views").hidden = !last?.figures;
  byId("last-rows").replaceChildren(...(last?.figures?.views ?? []).map(rowOf));
}

byId("last").addEventListener("toggle", () => byId("last").open && tellLast());
