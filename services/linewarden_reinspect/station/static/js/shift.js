// The lead's page: a shift's figures, what waits, and the bin against the queue.
import { get, post } from "./api.js";
import { follow } from "./bar.js";
import { byId, duration, element } from "./dom.js";
import { showMade } from "./shift_made.js";
import { t } from "./texts.js";

const SHIFT_MS = 8 * 3_600_000;
const form = byId("span");
const local = (ms) => new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
const time = (ms) => new Date(ms).toLocaleTimeString(undefined, { timeStyle: "short" });
const share = (part, whole) => (whole ? `${Math.round((100 * part) / whole)} %` : "—");
const seconds = (value) => (value === null ? "—" : duration(value * 1000));
const cell = (value, number = false) => element("td", { class: number ? "num" : false }, String(value));
const row = (...cells) => element("tr", {}, ...cells);

const span = () => new URLSearchParams({
  from_ms: String(new Date(form.elements.from.value).getTime()), to_ms: String(new Date(form.elements.to.value).getTime() + 59_999),
});

function figure(title, value, note) {
  return element("div", { class: "panel figure" }, element("h2", {}, title), element("b", {}, value), element("small", {}, note));
}

function agreed({ n, alike, kappa }) {
  if (n === 0) return figure(t("shift.agreement"), "—", t("shift.not_twice"));
  const values = { n, alike: Math.round(100 * alike) };
  const note = n < 30 ? t("shift.kappa_few", values) : t("shift.kappa", values);
  return figure(t("shift.agreement"), kappa === null ? "—" : kappa.toFixed(2), note);
}

function render(shift) {
  const hours = Math.max(1 / 60, (Math.min(shift.to_ms, Date.now()) - shift.from_ms) / 3_600_000);
  const counts = shift.by_judgement;
  byId("figures").replaceChildren(
    figure(t("shift.judged"), String(shift.judged), t("shift.an_hour", { rate: (shift.judged / hours).toFixed(1), ok: counts.OK ?? 0, ng: counts.NG ?? 0, unsure: counts.UNSURE ?? 0 })),
    figure(t("shift.age"), seconds(shift.age_s.median), t("shift.age_note", { p90: seconds(shift.age_s.p90), longest: seconds(shift.age_s.longest) })),
    figure(t("shift.escalated"), String(shift.escalated), t("shift.escalated_note", { share: share(shift.escalated, shift.judged) })),
    figure(t("shift.changed"), String(shift.changed_after_hints), t("shift.changed_note", { blind: shift.answered_blind })),
    agreed(shift.agreement));
  const most = Math.max(1, ...shift.by_hour.map((hour) => hour.judged));
  byId("hours").replaceChildren(...shift.by_hour.map((hour) => row(cell(time(hour.from_ms)), cell(hour.judged, true),
    element("td", {}, element("meter", { min: 0, max: most, value: hour.judged, "aria-label": t("shift.judged_from", { time: time(hour.from_ms) }) })))));
  waiting(shift.waiting);
}

function waiting(lines) {
  const rows = (lines ?? []).map((line) => row(cell(line.line_id), cell(line.waiting, true), cell(line.in_hands, true), cell(line.for_a_lead, true), cell(seconds(line.oldest_s), true)));
  byId("waiting").replaceChildren(...(rows.length ? rows : [row(element("td", { colspan: 5 }, lines === null ? t("shift.queue_away") : t("queue.nothing")))]));
  for (const select of [form.elements.line, byId("bin").elements.line_id]) {
    const known = new Set([...select.options].map((option) => option.value));
    select.append(...(lines ?? []).filter((line) => !known.has(line.line_id)).map((line) => element("option", {}, line.line_id)));
  }
}

async function counts() {
  const found = (await get("/api/bin-counts")).counts;
  const difference = (one) => one.counted - one.queued;
  byId("counts").replaceChildren(...found.map((one) => row(cell(new Date(one.at_ms).toLocaleString(undefined, { dateStyle: "short", timeStyle: "short" })), cell(one.line_id), cell(one.shift), cell(one.counted, true), cell(one.queued, true),
    element("td", { class: "num" }, element("span", { class: difference(one) ? "chip bad" : "chip good" }, difference(one) > 0 ? `+${difference(one)}` : String(difference(one)))), cell(one.actor))));
}

async function attempt(act) {
  byId("problem").hidden = true;
  try {
    await act();
  } catch (error) {
    byId("problem").textContent = error.told || error.message;
    byId("problem").hidden = false;
  }
}

const show = () => attempt(async () => {
  const asked = span();
  asked.set("line_id", form.elements.line.value);
  render(await get(`/api/shift?${asked}`));
  await counts();
  await made(asked);
});

// Read from the topics over the whole range: it takes a while, and the rest of the page does not wait for it.
async function made(asked) {
  byId("made-note").textContent = t("shift.reading");
  if (form.elements.simulated.checked) asked.set("simulated", "true");
  showMade(await get(`/api/shift/report?${asked}`));
}

form.elements.to.value = local(Date.now());
form.elements.from.value = local(Date.now() - SHIFT_MS);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  show();
});
byId("bin").addEventListener("submit", (event) => {
  event.preventDefault();
  const told = Object.fromEntries(new FormData(byId("bin")));
  attempt(async () => {
    await post("/api/bin-counts", { ...told, counted: Number(told.counted) });
    await counts();
  });
});
byId("people")?.addEventListener("click", () => attempt(async () => {
  const { operators } = await get(`/api/shift/operators?${span()}`);
  byId("operators").replaceChildren(...operators.map((one) => row(cell(one.operator), cell(one.judged, true), cell(one.OK, true), cell(one.NG, true), cell(one.UNSURE, true))));
}));
follow(() => undefined);
show();
