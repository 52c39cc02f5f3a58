// The engineer's page: another threshold over the newest visits, drafts of it, approval, and the way back.
import { actor, get, post } from "./api.js";
import { follow } from "./bar.js";
import { byId, element } from "./dom.js";

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
    byId("problem").textContent = error.message;
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
    ["Diversions an hour", (side) => number(side.diversions_per_hour, 1)],
    ["Diverted of the machine's passes", (side) => `${side.diverted} of ${side.passes} (${percent(side.diversion_rate_of_passes)})`],
    ["Good parts diverted, as people found", (side) => `${side.good_diverted} of ${side.good}`],
    ["Overkill: good parts called NG", (side) => `${percent(side.overkill_rate_of_good)} (n = ${side.good})`],
    ["Known misses passed", (side) => `${side.known_misses_passed} (n = ${side.known_misses})`],
  ];
  byId("figures").replaceChildren(...rows.map(([name, of]) => element("tr", {}, element("th", { scope: "row" }, name), cell(of(now), true), cell(of(wanted), true))));
  byId("sample").textContent = `${visits} visits in ${hours.toFixed(2)} h. What people found is known only of visits that were looked at, so passes that nobody saw count neither as good nor as missed. Overkill hangs on the bundle alone.`;
  byId("changing").textContent = `Pictures that change side: ${count}`;
}

function thumb(change) {
  const found = change.found === null ? "" : `, people said ${change.found}`;
  const picture = change.has_picture
    ? element("img", { src: `/api/thresholds/frames/${encodeURIComponent(change.frame_id)}`, alt: `View ${change.view_id} of ${change.visit_id}`, loading: "lazy" })
    : element("p", { class: "note" }, "no picture was kept");
  return element("figure", { title: change.visit_id }, picture, element("figcaption", {}, element("b", {}, `${number(change.suspicion)} → ${change.to}`), `${change.view_id}${found}`));
}

async function preview() {
  const one = chosen();
  byId("value").textContent = number(level());
  const looser = one.bundle_suspicion === null || level() > one.bundle_suspicion;
  byId("hint").textContent = looser ? "Looser than the bundle: shown, but not to be drafted. Qualify the bundle anew to divert less." : "Running it voids the qualification until the bundle is qualified anew at this threshold.";
  const turn = ++asked;
  const found = await get(`/api/thresholds/preview?${new URLSearchParams({ line_id: one.line_id, recipe_id: one.recipe.recipe_id, suspicion: level() })}`);
  if (turn !== asked) return;
  figures(found);
  byId("thumbs").replaceChildren(...found.changing.map(thumb));
  byId("save").disabled = looser || level() === one.suspicion;
}

function choose() {
  const one = chosen();
  if (!one || one.suspicion === null) return;
  byId("force").textContent = `${one.recipe.recipe_id}@${one.recipe.version} runs at ${number(one.suspicion)}; the bundle's own is ${number(one.bundle_suspicion)}. Qualification: ${one.qualification}.`;
  const reach = Math.max(0.05, Math.abs(one.bundle_suspicion ?? one.suspicion));
  byId("level").min = String(Math.min(0, one.suspicion - reach));
  byId("level").max = String(Math.max(one.suspicion, one.bundle_suspicion ?? one.suspicion) + reach / 2);
  byId("level").value = String(one.suspicion);
  byId("level").disabled = false;
  byId("back").disabled = one.before === null;
  byId("back").textContent = one.before === null ? "Roll back" : `Roll back to ${one.before}`;
  attempt(preview);
}

function judgement(draft) {
  if (draft.state !== "waiting") return `${draft.state} by ${draft.judged_by}: ${draft.reason}${draft.became ? ` (version ${draft.became})` : ""}`;
  if (draft.author === actor) return "waits for somebody else";
  const button = (text, approve) => {
    const made = element("button", { type: "button" }, text);
    made.addEventListener("click", async () => {
      const text2 = approve ? "It runs at once and voids the qualification." : "Nothing changes on the line.";
      const reason = await ask(`${approve ? "Approve" : "Refuse"} draft ${draft.id}`, text2);
      if (reason !== null) await attempt(() => post(`/api/thresholds/drafts/${draft.id}/verdict`, { approve, reason }));
      await attempt(load);
    });
    return made;
  };
  return element("span", { class: "tabs" }, button("Approve", true), button("Refuse", false));
}

async function load() {
  const found = await get("/api/thresholds");
  running = found.running;
  byId("running").replaceChildren(...running.map((one, index) => element("option", { value: index }, `${one.line_id}: ${one.recipe.recipe_id}@${one.recipe.version}`)));
  if (!running.length) byId("hint").textContent = "No inspected visit is recorded yet.";
  const drafts = found.drafts.map((draft) => element("tr", {}, cell(`${draft.id}: ${draft.recipe.recipe_id}@${draft.recipe.version} on ${draft.line_id}`), cell(number(draft.suspicion), true), cell(draft.author), element("td", { class: "wrap" }, judgement(draft))));
  byId("drafts").replaceChildren(...(drafts.length ? drafts : [element("tr", {}, element("td", { colspan: 4 }, "No draft yet."))]));
  choose();
}

byId("running").addEventListener("change", choose);
byId("level").addEventListener("input", () => attempt(preview));
byId("save").addEventListener("click", () => attempt(async () => {
  await post("/api/thresholds/drafts", { line_id: chosen().line_id, recipe_id: chosen().recipe.recipe_id, suspicion: level() });
  await load();
}));
byId("back").addEventListener("click", async () => {
  const reason = await ask(`Roll back to ${chosen().before}`, "The line runs it from now on.");
  if (reason !== null) await attempt(() => post(`/api/lines/${encodeURIComponent(chosen().line_id)}/roll-back`, { reason }));
  await attempt(load);
});
follow(() => undefined);
attempt(load);
