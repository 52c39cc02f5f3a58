// The visit in words: what it is, and after the first answer why it waits; the figures behind a click.
import { get } from "./api.js";
import { serverNow } from "./clock.js";
import { byId, duration, element, partName } from "./dom.js";
import { has, t } from "./texts.js";

export function describe(visit) {
  clearWords(visit);
  byId("part").textContent = partName(visit);
  const handed = visit.handed && t("handed.from", { name: visit.handed.by, role: t(`role.${visit.handed.role}.short`), age: duration(serverNow() - visit.handed.at_ms) });
  byId("ident").textContent = [handed, visit.line_id, visit.product_id, t("side.recipe", { recipe: visit.recipe })].filter(Boolean).join(" · ");
  byId("ident").title = visit.visit_id;
  byId("scale-of").textContent = t("legend.scale", { recipe: visit.recipe });
  tellWhy(visit);
}

function tellWhy(visit) {
  const { told, missing_views: missing } = visit;
  byId("why").textContent = told?.sentence ?? "\u00a0";
  byId("why").toggleAttribute("data-closed", !told);
  const reasons = [...handedWords(visit), ...(told?.in_words ?? []), ...missing.map((view) => t("side.missing", { view }))];
  byId("reasons").replaceChildren(...[...new Set(reasons)].map((reason) => element("li", {}, reason)));
  byId("figures").toggleAttribute("data-closed", !told);
  const rows = told ? [
    [t("figures.waits"), duration(serverNow() - told.opened_ms)], [t("figures.risk"), told.risk.toFixed(2)],
    [t("figures.due"), new Date(told.due_ms).toLocaleTimeString()],
  ] : [];
  byId("figures-rows").replaceChildren(...rows.flatMap(([word, value]) => [element("dt", {}, word), element("dd", { class: "num" }, value)]));
}

// Why it was handed on, and the note that came with it: after the person's own first answer alone.
function handedWords({ handed, told }) {
  const { reason, note } = told?.handover ?? {};
  if (!handed || !(reason || note)) return [];
  const because = reason && (has(`unsure.${reason}`) ? t(`unsure.${reason}`) : reason);
  return [t("handed.told", { name: handed.by, words: [because, note && `“${note}”`].filter(Boolean).join(", ") })];
}

// What the person adds to an answer.
export function words(judgement, visit) {
  const comment = byId("comment").value.trim() || null;
  if (judgement !== "UNSURE") return { comment };
  return { comment, unsure_because: byId("unsure-because").value || null, hand_to: visit.can_send_back ? "operator" : null };
}

let written = null; // the visit for which words are being written

function clearWords(visit) {
  if (written === visit.token) return;
  written = visit.token;
  byId("comment").value = byId("unsure-because").value = byId("defect-class").value = "";
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

byId("comment").addEventListener("keydown", (event) => ["Enter", "Escape"].includes(event.key) && byId("comment").blur());
byId("last").addEventListener("toggle", () => byId("last").open && tellLast());
