// The engineer's page: another threshold over the newest visits, drafts of it, approval, and the way back.
import { actor, get, post } from "./api.js";
import { follow } from "./bar.js";
import { byId, element } from "./dom.js";
import { t } from "./texts.js";

let running = [];
let asked = 0;
const chosen = () => running[Number(byId("running").value)];
const level = () => Number(byId("level").value);
const number = (value, digits = 3) => (value === null || value === undefined ? "—" : value.toFixed(digits));
const percent = (value) => (value === null ? "—" : `${(100 * value).toFixed(1)} %`);
const cell = (value, numeric = false) => element("td", { class: numeric ? "num" : false }, value);

async function attempt(act) {
  byId("problem").hidden = true;
  try {
    await act();
  } catch (error) {
    byId("problem").textContent = error.told || error.message;
    byId("problem").hidden = false;
  }
}

function ask(title, text) {
  byId("ask-title").textContent = title;
  byId("ask-text").textContent = text;
  byId("reason").value = "";
  byId("ask").returnValue = "no";
  byId("ask").showModal();
  return new Promise((resolve) => {
    byId("ask").addEventListener("close", () => resolve(byId("ask").returnValue === "yes" ? byId("reason").value.trim() : null), { once: true });
  });
}

function figures({ now, wanted, visits, hours, changing_count: count }) {
  const rows = [
    [t("thresholds.per_hour"), (side) => number(side.diversions_per_hour, 1)],
    [t("thresholds.of_passes"), (side) => t("thresholds.share", { count: side.diverted, n: side.passes, share: percent(side.diversion_rate_of_passes) })],
    [t("thresholds.good_diverted"), (side) => t("trust.of", { count: side.good_diverted, n: side.good })],
    [t("thresholds.overkill"), (side) => `${percent(side.overkill_rate_of_good)} (n = ${side.good})`],
    [t("thresholds.misses"), (side) => `${side.known_misses_passed} (n = ${side.known_misses})`],
  ];
  byId("figures").replaceChildren(...rows.map(([name, of]) => element("tr", {}, element("th", { scope: "row" }, name), cell(of(now), true), cell(of(wanted), true))));
  byId("sample").textContent = t("thresholds.sample", { visits, hours: hours.toFixed(2) });
  byId("changing").textContent = t("thresholds.changing_count", { count });
}

function thumb(change) {
  const found = change.found === null ? "" : t("thresholds.said", { found: change.found });
  const picture = change.has_picture
    ? element("img", { src: `/api/thresholds/frames/${encodeURIComponent(change.frame_id)}`, alt: t("thresholds.picture_of", { view: change.view_id, visit: change.visit_id }), loading: "lazy" })
    : element("p", { class: "note" }, t("thresholds.no_picture"));
  return element("figure", { title: change.visit_id }, element("a", { href: `/parts/${encodeURIComponent(change.visit_id)}`, "aria-label": change.visit_id }, picture), element("figcaption", {}, element("b", {}, `${number(change.suspicion)} → ${t(`thresholds.to.${change.to}`)}`), `${change.view_id}${found}`));
}

async function preview() {
  const one = chosen();
  byId("value").textContent = number(level());
  const looser = one.bundle_suspicion === null || level() > one.bundle_suspicion;
  byId("hint").textContent = looser ? t("thresholds.looser") : t("thresholds.voids");
  const turn = ++asked;
  const found = await get(`/api/thresholds/preview?${new URLSearchParams({ line_id: one.line_id, recipe_id: one.recipe.recipe_id, suspicion: level() })}`);
  if (turn !== asked) return;
  figures(found);
  byId("thumbs").replaceChildren(...found.changing.map(thumb));
  byId("save").disabled = looser || level() === one.suspicion;
}

function nameOf(recipe) {
  const name = `${recipe.recipe_id}@${recipe.version}`;
  return recipe.digest ? `${name}@${recipe.digest.slice(0, 12)}` : name;
}

function choose() {
  const one = chosen();
  if (!one || one.suspicion === null) return;
  byId("force").textContent = t("thresholds.runs", {
    recipe: nameOf(one.recipe), threshold: number(one.suspicion), own: number(one.bundle_suspicion),
    qualification: t(`thresholds.qualification.${one.qualification}`),
  });
  const reach = Math.max(0.05, Math.abs(one.bundle_suspicion ?? one.suspicion));
  byId("level").min = String(Math.min(0, one.suspicion - reach));
  byId("level").max = String(Math.max(one.suspicion, one.bundle_suspicion ?? one.suspicion) + reach / 2);
  byId("level").value = String(one.suspicion);
  byId("level").disabled = false;
  byId("back").disabled = one.before === null;
  byId("back").textContent = one.before === null ? t("thresholds.back") : t("thresholds.back_to", { recipe: one.before });
  attempt(preview);
}

function judgement(draft) {
  const told = { who: draft.judged_by, reason: draft.reason, version: draft.became };
  if (draft.state === "approved") return t("thresholds.approved", told);
  if (draft.state === "refused") return t("thresholds.refused", told);
  if (draft.author === actor) return t("thresholds.waits");
  const button = (text, approve) => {
    const made = element("button", { type: "button" }, text);
    made.addEventListener("click", async () => {
      const reason = approve
        ? await ask(t("thresholds.approve_draft", draft), t("thresholds.approve_text"))
        : await ask(t("thresholds.refuse_draft", draft), t("thresholds.refuse_text"));
      if (reason !== null) await attempt(() => post(`/api/thresholds/drafts/${draft.id}/verdict`, { approve, reason }));
      await attempt(load);
    });
    return made;
  };
  return element("span", { class: "tabs" }, button(t("thresholds.approve"), true), button(t("thresholds.refuse"), false));
}

async function load() {
  const found = await get("/api/thresholds");
  running = found.running;
  byId("running").replaceChildren(...running.map((one, index) => element("option", { value: index }, `${one.line_id}: ${nameOf(one.recipe)}`)));
  if (!running.length) byId("hint").textContent = t("trust.nothing");
  const drafts = found.drafts.map((draft) => element("tr", {}, cell(t("thresholds.draft_of", { id: draft.id, recipe: nameOf(draft.recipe), line: draft.line_id })), cell(number(draft.suspicion), true), cell(draft.author), element("td", { class: "wrap" }, judgement(draft))));
  byId("drafts").replaceChildren(...(drafts.length ? drafts : [element("tr", {}, element("td", { colspan: 4 }, t("thresholds.no_draft")))]));
  choose();
}

byId("running").addEventListener("change", choose);
byId("level").addEventListener("input", () => attempt(preview));
byId("save").addEventListener("click", () => attempt(async () => {
  await post("/api/thresholds/drafts", { line_id: chosen().line_id, recipe_id: chosen().recipe.recipe_id, suspicion: level() });
  await load();
}));
byId("back").addEventListener("click", async () => {
  const reason = await ask(t("thresholds.back_to", { recipe: chosen().before }), t("thresholds.back_text"));
  if (reason !== null) await attempt(() => post(`/api/lines/${encodeURIComponent(chosen().line_id)}/roll-back`, { reason }));
  await attempt(load);
});
follow(() => undefined);
attempt(load);
