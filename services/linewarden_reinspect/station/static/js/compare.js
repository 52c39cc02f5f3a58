// Beside the picture: golden pictures of the recipe, limit samples of the class, the parts next to this one.
import { get } from "./api.js";
import { byId, element, partName } from "./dom.js";
import { t } from "./texts.js";
import { Twin } from "./twin.js";

const KINDS = ["golden", "limit", "beside"];

export class Compare {
  constructor() {
    Object.assign(this, { kind: "golden", visit: null, references: [], classes: [], view: null, defectClass: null, asked: null });
    for (const kind of KINDS) byId(`compare-${kind}`).addEventListener("click", () => this.choose(kind));
    this.open(localStorage.getItem("linewarden-compare") === "on");
  }

  // Learns what there is for a visit; answers its defect classes.
  async show(visit) {
    this.visit = visit;
    const { references, classes } = await get(`/api/slots/${visit.slot_id}/references?token=${visit.token}`).catch(() => ({ references: [], classes: [] }));
    if (this.visit !== visit) return;
    Object.assign(this, { references, classes });
    this.render();
  }

  clear() {
    Object.assign(this, { visit: null, references: [], classes: [], asked: null });
    this.render();
  }

  // The view in hand was zoomed, moved or changed.
  follow(tile) {
    this.tile = tile;
    this.twin?.follow(tile);
  }

  look(view, defectClass) {
    if (this.view === view && this.defectClass === defectClass) return;
    Object.assign(this, { view, defectClass });
    this.render();
  }

  open(on) {
    byId("compare").hidden = !on;
    byId("compare-toggle").setAttribute("aria-pressed", String(on));
    localStorage.setItem("linewarden-compare", on ? "on" : "off");
    this.render();
  }

  toggle() { this.open(byId("compare").hidden); }
  next() { if (byId("compare").hidden) this.open(true); else this.choose(KINDS[(KINDS.indexOf(this.kind) + 1) % KINDS.length]); }

  choose(kind) {
    this.kind = kind;
    this.render();
  }

  render() {
    for (const kind of KINDS) byId(`compare-${kind}`).setAttribute("aria-pressed", String(kind === this.kind));
    byId("compare").dataset.kind = this.kind;
    this.twin = null;
    if (byId("compare").hidden) return;
    if (this.kind === "beside") this.beside();
    else this.fill(this.chosen().map((one) => this.figure(one)), this.empty());
  }

  chosen() {
    if (this.kind === "limit") return this.references.filter((one) => one.kind === "limit" && (!this.defectClass || one.defect_class === this.defectClass));
    return this.references.filter((one) => one.kind === "golden" && one.view_id === this.view).slice(0, 1);
  }

  empty() {
    if (this.kind === "golden") return t("compare.no_golden");
    return this.defectClass ? t("compare.no_limit_of", { name: this.defectClass }) : t("compare.no_limit");
  }

  figure(one) {
    const { slot_id: slot, token } = this.visit;
    const path = `/api/slots/${slot}/reference?token=${token}&name=${encodeURIComponent(one.name)}`;
    if (one.kind !== "golden") return picture(path, ...limitWords(one));
    this.twin = new Twin(path, t("compare.golden_of", { recipe: this.visit.recipe, view: one.view_id }));
    if (this.tile) this.twin.follow(this.tile);
    return this.twin.root;
  }

  async beside() {
    const { visit, view } = this;
    if (!visit?.told) { this.fill([], t("compare.later")); return; }
    const { slot_id: slot, token } = visit;
    const query = `token=${token}&view=${encodeURIComponent(view)}`;
    const key = `${slot} ${view}`;
    if (this.asked !== key) {
      this.asked = key;
      const answer = await get(`/api/slots/${slot}/beside?${query}`).catch(() => ({ frames: [], parts: {} }));
      this.neighbours = answer.frames.map((frame) => ({ frame, part_id: answer.parts[frame] }));
    }
    if (this.visit !== visit || this.kind !== "beside" || !this.neighbours) return;
    this.fill(this.neighbours.map(({ frame, part_id: part }) => {
      const other = frame.slice(0, -frame.split(view).pop().length - view.length - 1);
      return picture(`/api/slots/${slot}/beside/picture?${query}&frame_id=${frame}`, t(other < visit.visit_id ? "compare.before" : "compare.after", { part: partName({ part_id: part, visit_id: other }) }));
    }), t("compare.no_beside"));
  }

  fill(figures, empty) {
    byId("compare-pictures").replaceChildren(...(figures.length ? figures : [element("p", { class: "muted" }, this.visit ? empty : "")]));
  }
}

function picture(path, ...words) {
  return element("figure", {}, element("img", { src: path, alt: words.join(", ") }), element("figcaption", {}, ...words.map((word) => element("span", {}, word))));
}

function limitWords(one) {
  const approval = one.approved_by ? t(one.expired ? "compare.expired" : "compare.approved", { who: one.approved_by, date: one.expires }) : t("compare.unapproved");
  return [t(`compare.${one.side}`, { name: one.defect_class }), approval, ...figureWords(one.figures)];
}

// Length, area and count as an inspection gives them.
function figureWords(figures) {
  if (!figures) return [t("compare.unmeasured")];
  if (figures.stale) return [t("compare.stale")];
  const shown = figures.defects.map((one) => t("compare.defect", {
    name: one.defect_class ?? t("compare.defect_unknown"), length: amount(one.length_mm), length_error: amount(one.length_error_mm),
    area: amount(one.area_mm2), area_error: amount(one.area_error_mm2), limits: t(one.is_within ? "compare.within" : "compare.beyond"),
  }));
  return [t("compare.count", { count: figures.count }), ...shown];
}

const amount = (value) => value.toFixed(2);
