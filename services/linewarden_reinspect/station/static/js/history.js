// The auditor's page: events newest first, a page at a time. It only reads.
import { get } from "./api.js";
import { follow } from "./bar.js";
import { byId, element, shortVisit } from "./dom.js";
import { t } from "./texts.js";

const SIZE = 50;
const who = (one) => [one.actor, one.role && t(`role.${one.role}.short`)].filter(Boolean).join(" · ");
const LISTS = {
  history: {
    path: "/api/history", items: "events", wide: [6],
    heads: [t("sheet.when"), t("history.what"), t("queue.who"), t("history.one_part"), t("history.visit"), t("history.answer"), t("history.more")],
    cells: (one) => [when(one.at_ms), one.kind, who(one), one.part_id, slot(one), answer(one), one.detail],
  },
  log: {
    path: "/api/log", items: "acts", wide: [5, 6],
    heads: [t("sheet.when"), t("history.act"), t("queue.who"), t("history.on"), t("history.outcome"), t("history.more"), t("history.address")],
    cells: (one) => [when(one.at_ms), one.act, who(one), one.object, one.outcome, one.detail, one.address],
  },
};
let list = "history";
let next = null;
let shown = 0;

const when = (ms) => (ms ? new Date(ms).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" }) : "—");
const slot = (one) => (one.visit_id ? element("a", { title: one.slot_id || one.visit_id, href: `/parts/${encodeURIComponent(one.visit_id)}` }, `${shortVisit(one.visit_id)} ${one.slot_id.slice(one.visit_id.length)}`) : "");
const answer = (one) => {
  if (one.kind === "undo") return t("history.undoes", { decision: one.undoes });
  return one.first_judgement && one.first_judgement !== one.judgement ? t("history.first", { judgement: one.judgement, first: one.first_judgement }) : one.judgement;
};

function query(before) {
  const form = new FormData(byId("filter"));
  const asked = new URLSearchParams({ limit: SIZE, before: before ?? "", actor: form.get("actor") });
  if (list === "log") {
    if (!before) asked.delete("before");
    return asked;
  }
  for (const name of ["part", "slot", "kind"]) asked.set(name, form.get(name));
  for (const name of ["from", "to"]) if (form.get(name)) asked.set(`${name}_ms`, String(new Date(form.get(name)).getTime()));
  return asked;
}

async function show(before = null) {
  const { path, items, wide, heads, cells } = LISTS[list];
  byId("problem").hidden = true;
  try {
    const found = await get(`${path}?${query(before)}`);
    shown = before === null ? 0 : shown;
    byId("head").replaceChildren(...heads.map((head) => element("th", { scope: "col" }, head)));
    const rows = found[items].map((one) => element("tr", {}, ...cells(one).map((cell, index) => element("td", { class: wide.includes(index) ? "wrap" : false }, cell ?? ""))));
    if (!rows.length) rows.push(element("tr", {}, element("td", { colspan: heads.length }, t("history.nothing"))));
    byId("rows").replaceChildren(...rows);
    byId("place").textContent = found[items].length ? t("history.place", { first: shown + 1, last: shown + found[items].length }) : "";
    shown += found[items].length;
    next = found.next;
    byId("older").disabled = next === null;
    byId("newest").disabled = before === null;
  } catch (error) {
    byId("problem").textContent = error.told || error.message;
    byId("problem").hidden = false;
  }
}

byId("filter").addEventListener("submit", (event) => {
  event.preventDefault();
  show();
});
byId("older").addEventListener("click", () => show(next));
byId("newest").addEventListener("click", () => show());
for (const button of document.querySelectorAll("[data-list]")) {
  button.addEventListener("click", () => {
    list = button.dataset.list;
    for (const other of document.querySelectorAll("[data-list]")) other.setAttribute("aria-pressed", String(other === button));
    show();
  });
}
const asked = new URLSearchParams(location.search).get("part");
if (asked) byId("filter").elements.part.value = asked;
follow(() => undefined);
show();
