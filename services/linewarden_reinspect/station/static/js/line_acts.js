// The page of a lead's acts: what keeps each line from passing, and what may be done with it now.
import { get, post } from "./api.js";
import { follow } from "./bar.js";
import { byId, element } from "./dom.js";
import { t } from "./texts.js";

const clock = (ms) => new Date(ms).toLocaleString(document.documentElement.lang, { dateStyle: "short", timeStyle: "medium" });
let shown = "";

async function attempt(work) {
  byId("problem").hidden = true;
  try {
    show(await work());
  } catch (error) {
    byId("problem").textContent = error.told || error.message;
    byId("problem").hidden = false;
    byId("problem").scrollIntoView({ block: "nearest" });
  }
}

function field(name, label, attributes = {}) {
  return element("label", {}, label, element("input", { name, autocomplete: "off", maxlength: 128, ...attributes }));
}

const why = (needed) => field("reason", t("acts.reason"), { required: needed, maxlength: 500 });

// A form whose fields are the act's; a button with a name of its own says another act.
function form(line, act, title, ...inside) {
  const made = element("form", { class: "fields", "data-act": act }, element("h3", {}, title), ...inside);
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(made));
    if ("minutes" in given) given.minutes = Number(given.minutes);
    if ("purged" in given) given.purged = true;
    const named = event.submitter?.value;
    attempt(() => post(`/api/line/acts/${encodeURIComponent(line.line_id)}`, { ...given, act: named || act }));
  });
  return made;
}

const button = (text, attributes = {}) => element("button", { class: "primary", ...attributes }, text);

function locks(line) {
  const told = line.locks.map((one) => element("li", {}, t("acts.lock", { ...one, since: clock(one.since_ms), detail: one.detail ? ` (${one.detail})` : "" })));
  return told.length ? element("ul", { class: "locks" }, ...told) : null;
}

function changeover(line, recipes) {
  const change = line.changeover;
  if (change?.is_open) {
    const waiting = element("ul", {}, ...change.waiting.map((one) => element("li", {}, one)));
    const purged = element("label", { class: "tick" }, element("input", { name: "purged", type: "checkbox" }), t("acts.purged"));
    return form(line, "release", t("acts.changing", { recipe: change.recipe, stage: t(`acts.stage.${change.stage}`) }), waiting, purged, why(false),
      button(t("acts.release"), { disabled: change.stage !== "checked" }), element("button", { value: "withdraw", formnovalidate: true }, t("acts.withdraw")));
  }
  const select = element("select", { name: "recipe", required: true }, ...recipes.map((one) => element("option", { value: one }, one)));
  return form(line, "change_over", t("acts.change_over"), element("label", {}, t("acts.recipe"), select), field("order", t("acts.order")), field("lot", t("acts.lot")), why(false), button(t("acts.begin")));
}

function answers(check) {
  const rows = check.answers.map((one) => element("tr", {}, element("td", {}, one.part_id), element("td", {}, one.view_id), element("td", {}, one.expected),
    element("td", { "data-right": String(one.verdict === one.expected) }, one.verdict ?? t("acts.nothing"))));
  const head = [t("acts.part"), t("acts.view"), t("acts.expected"), t("acts.got")].map((text) => element("th", { scope: "col" }, text));
  return rows.length ? element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)) : null;
}

function check(line) {
  if (!line.has_check) return null;
  const last = line.check;
  const outcome = last ? t("acts.checked", { outcome: t(`acts.outcome.${last.outcome ?? "open"}`), began: clock(last.began_ms) }) : t("acts.unchecked");
  return form(line, "check", t("acts.check"), element("p", { class: "note" }, outcome), last ? answers(last) : null, button(t("acts.begin_check"), { disabled: Boolean(last) && last.outcome === null }));
}

function bypass(line) {
  if (line.mode === "bypass") {
    const told = element("p", { class: "note" }, t("acts.in_bypass", { who: line.key_holder, until: clock(line.until_ms) }));
    return form(line, "end_bypass", t("acts.bypass"), told, why(false), button(t("acts.end_bypass")));
  }
  return form(line, "bypass", t("acts.bypass"), element("p", { class: "note" }, t("acts.bypass_note")), field("person", t("acts.person"), { required: true }),
    field("minutes", t("acts.minutes"), { type: "number", min: 1, max: 1440, value: 30, required: true }), why(true), button(t("acts.record")));
}

function panel(line, recipes) {
  const state = element("span", { class: "word", "data-passes": String(line.passes) }, line.passes ? t("acts.passes") : t("acts.passes_not"));
  const unlock = line.locks.length ? form(line, "unlock", t("acts.unlock"), why(true), button(t("acts.lift"))) : null;
  const until = line.until_ms && line.mode === "production" ? element("p", { class: "note" }, t("acts.due", { until: clock(line.until_ms) })) : null;
  const states = form(line, "lock", t("acts.stop_or_lock"), why(false), button(t("acts.lock_now")),
    element("button", { value: "stop", disabled: line.mode === "stopped" }, t("acts.stop")), element("button", { value: "produce", disabled: line.mode === "production" }, t("acts.produce")));
  return element("section", { class: "panel", "data-line": line.line_id },
    element("h2", {}, line.line_id, state, element("small", {}, t("acts.state", { mode: t(`acts.mode.${line.mode}`), recipe: line.recipe ?? "–", order: line.order ?? "–" }))),
    locks(line), until, unlock, states, changeover(line, recipes), check(line), bypass(line));
}

// Redrawn where something changed alone: nobody's typing is lost.
function show(answer) {
  const now = JSON.stringify(answer);
  if (now === shown) return;
  shown = now;
  byId("lines").replaceChildren(...answer.lines.map((line) => panel(line, answer.recipes)));
  byId("none").hidden = answer.lines.length > 0;
}

follow(() => undefined);
attempt(() => get("/api/line/acts"));
setInterval(() => get("/api/line/acts").then(show, () => undefined), 3000);
