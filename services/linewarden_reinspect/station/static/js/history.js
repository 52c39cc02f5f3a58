// The auditor's page: events newest first, a page at a time. It only reads.
import { get } from "./api.js";
import { follow } from "./bar.js";
import { byId, element, shortVisit } from "./dom.js";

const SIZE = 50;
const LISTS = {
  history: {
    path: "/api/history", items: "events", heads: ["When", "What", "Who", "Part", "Visit and slot", "Answer", "More"],
    cells: (one) => [when(one.at_ms), one.kind, [one.actor, one.role].filter(Boolean).join(" · "), one.part_id, slot(one), answer(one), one.detail],
  },
  log: {
    path: "/api/log", items: "acts", heads: ["When", "Act", "Who", "On", "Outcome", "More", "From"],
    cells: (one) => [when(one.at_ms), one.act, [one.actor, one.role].filter(Boolean).join(" · "), one.object, one.outcome, one.detail, one.address],
  },
};
let list = "history";
let next = null;
let shown = 0;

const when = (ms) => (ms ? new Date(ms).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" }) : "—");
const slot = (one) => (one.slot_id ? element("span", { title: one.slot_id }, `${shortVisit(one.visit_id)} ${one.slot_id.slice(one.visit_id.length)}`) : one.visit_id);
const answer = (one) => {
  if (one.kind === "undo") return `undoes ${one.undoes}`;
  return one.first_judgement && one.first_judgement !== one.judgement ? `${one.judgement} (first ${one.first_judgement})` : one.judgement;
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
  const { path, items, heads, cells } = LISTS[list];
  byId("problem").hidden = true;
  try {
    const found = await get(`${path}?${query(before)}`);
    shown = before === null ? 0 : shown;
    byId("head").replaceChildren(...heads.map((head) => element("th", { scope: "col" }, head)));
    const rows = found[items].map((one) => element("tr", {}, ...cells(one).map((cell, index) => element("td", { class: index === heads.length - 1 || heads[index] === "More" ? "wrap" : false }, cell ?? ""))));
    if (!rows.length) rows.push(element("tr", {}, element("td", { colspan: heads.length }, "Nothing fits.")));
    byId("rows").replaceChildren(...rows);
    byId("place").textContent = found[items].length ? `${shown + 1} to ${shown + found[items].length}, newest first` : "";
    shown += found[items].length;
    next = found.next;
    byId("older").disabled = next === null;
    byId("newest").disabled = before === null;
  } catch (error) {
    byId("problem").textContent = error.message;
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
follow(() => undefined);
show();
