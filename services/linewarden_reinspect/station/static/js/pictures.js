// The grid of parts: filtered by the form, which is also the page's address, so that others can be led to it.
import { get } from "./api.js";
import { follow } from "./bar.js";
import { byId, element, shortVisit } from "./dom.js";
import { t } from "./texts.js";

const form = byId("filter");
let next = null;
let count = 0;

function query() {
  const asked = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (!value) continue;
    if (name === "from" || name === "to") asked.set(`${name}_ms`, String(new Date(value).getTime()));
    else asked.set(name, value);
  }
  return asked;
}

function card(one) {
  const frame = element("span", { class: "frame" });
  if (one.frame_id) {
    const image = element("img", { alt: "", loading: "lazy", src: `/api/parts/${encodeURIComponent(one.visit_id)}/frames/${encodeURIComponent(one.frame_id)}/picture` });
    image.addEventListener("error", () => image.remove());
    frame.append(image);
  }
  const why = [...one.classes, ...one.zones, ...one.causes.map((cause) => t(`cause.${cause}`)), one.is_simulated ? t("part.simulated") : null].filter(Boolean).join(" · ");
  return element("li", { class: "card", "data-standing": one.standing }, element("a", { href: `/parts/${encodeURIComponent(one.visit_id)}` }, frame,
    element("b", {}, `${t(`line.standing.${one.standing}`)} · ${one.part_id ?? shortVisit(one.visit_id)}`),
    element("small", {}, new Date(one.captured_ms).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" })),
    element("small", { title: why }, why || " ")));
}

async function show(before = "") {
  byId("problem").hidden = true;
  try {
    const asked = query();
    const found = await get(`/api/pictures?${new URLSearchParams([...asked, ["before", before]])}`);
    if (!before) {
      count = 0;
      byId("cards").replaceChildren();
      history.replaceState(null, "", asked.size ? `?${asked}` : location.pathname);
    }
    count += found.parts.length;
    byId("cards").append(...found.parts.map(card));
    byId("older-visits").replaceChildren(...found.older.map((visit) => element("li", {}, t("pictures.older", { visit }))));
    byId("found").textContent = count ? t("pictures.found", { count }) : t("pictures.none");
    next = found.next;
    byId("more").hidden = next === null;
  } catch (error) {
    byId("problem").textContent = error.told || error.message;
    byId("problem").hidden = false;
  }
}

const local = (ms) => new Date(ms - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
for (const [name, value] of new URLSearchParams(location.search)) {
  const field = form.elements.namedItem(name.replace(/_ms$/, ""));
  if (!field) continue;
  if (name.endsWith("_ms")) field.value = local(Number(value));
  else {
    if (field.tagName === "SELECT" && ![...field.options].some((one) => one.value === value)) field.append(element("option", { value }, value));
    field.value = value;
  }
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  show();
});
byId("more").addEventListener("click", () => show(next));
follow(() => undefined);
show();
