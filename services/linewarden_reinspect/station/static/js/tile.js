// One view on the bench: picture, mask, heatmap and drawing on one plane that is zoomed and moved.
import { difference, loadGrey, paintHeat, paintMask } from "./colours.js";
import { element } from "./dom.js";
import { Drawing } from "./drawing.js";
import { listen } from "./gestures.js";
import { spotOf } from "./spot.js";
import { t } from "./texts.js";

const CLOSEST = 16;
let asked = 0;

export class Tile {
  constructor(frame, onActive) {
    Object.assign(this, { frame, scale: null, x: 0, y: 0, layers: {}, available: [], shown: false, isHere: false, fetched: null, pen: null, stroking: false, asking: (asked += 1) });
    this.seen = new Set(["picture"]);
    this.picture = new Image();
    this.picture.alt = t("tile.view", { view: frame.view_id });
    this.mask = element("canvas", { hidden: true });
    this.heat = element("canvas", { hidden: true });
    this.drawing = new Drawing();
    this.spot = element("div", { class: "spot", hidden: true });
    this.plane = element("div", { class: "plane" }, this.picture, this.heat, this.mask, this.drawing.canvas, this.spot);
    this.wait = element("div", { class: "wait" });
    this.name = element("div", { class: "name" }, frame.view_id);
    this.root = element("div", { class: "tile", role: "group", "aria-label": t("tile.view", { view: frame.view_id }) }, this.plane, this.wait, this.name);
    this.say(t("tile.waiting"), true);
    listen(this, onActive);
    new ResizeObserver(() => this.place()).observe(this.root);
  }

  say(text, waiting = false) {
    this.wait.hidden = text === null;
    this.wait.classList.toggle("gone", !waiting);
    this.wait.replaceChildren(...(waiting ? [element("span", { class: "spin" })] : []), element("span", {}, text ?? ""));
  }

  // That the doubt is about this view; only after the first answer.
  tell(isMarked) {
    this.isMarked = isMarked;
    this.root.toggleAttribute("data-marked", isMarked);
    this.name.replaceChildren(this.frame.view_id, ...(isMarked ? [element("span", { class: "chip" }, t("tile.marked"))] : []));
  }

  // A frame around the hottest place, drawn as strongly where the heat is faint; its peak as a share of the scale.
  async point() {
    for (const name of ["specific", "agnostic", "mask"]) {
      const grey = await this.layer(name);
      const found = grey && spotOf(grey);
      if (!found) continue;
      for (const side of ["left", "top", "width", "height"]) this.spot.style[side] = `${found[side] * 100}%`;
      this.spot.hidden = false;
      this.seen.add("spot");
      return found.peak;
    }
    return null;
  }

  // Fetches and decodes the picture, on the screen or not yet, and gives everything over it the same size.
  fetch() {
    this.fetched ??= (async () => {
      this.picture.src = this.frame.source ?? this.path("picture");
      await this.picture.decode();
      const { naturalWidth: width, naturalHeight: height } = this.picture;
      this.plane.style.width = `${width}px`;
      this.plane.style.height = `${height}px`;
      this.drawing.size(width, height);
      this.say(null);
      this.isHere = true;
    })().catch((failure) => { this.fetched = null; throw failure; });
    return this.fetched;
  }

  // Resolves once the picture is decoded and painted: only then was it shown.
  async load() {
    await this.fetch();
    this.place();
    await this.painted();
  }

  async painted() {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    this.shown = true;
  }

  async overlay(mask, heat, opacity) {
    this.mask.hidden = !mask || !(await this.layer("mask"));
    const grey = heat === null ? null : await this.layer(heat);
    this.heat.hidden = !grey;
    if (grey) { paintHeat(this.heat, grey); this.seen.add(heat); }
    if (!this.mask.hidden) { paintMask(this.mask, this.layers.mask); this.seen.add("mask"); }
    this.heat.style.opacity = opacity;
    this.mask.style.opacity = Math.min(1, opacity + 0.2);
  }

  async layer(name) {
    if (!this.shown) return null;
    if (name === "difference") {
      const [specific, agnostic] = [await this.layer("specific"), await this.layer("agnostic")];
      return specific && agnostic ? difference(specific, agnostic) : null;
    }
    if (!this.available.includes(name)) return null;
    this.layers[name] ??= await loadGrey(this.path(name));
    return this.layers[name];
  }

  // Asked for anew by each tile: a browser shows a picture that the page had before without asking, and then the
  // station does not know that it was on the screen.
  path(name) { return `/frames/${this.frame.frame_id}/${name}?asked=${this.asking}`; }

  get room() { return { width: this.root.clientWidth, height: this.root.clientHeight }; }

  get fit() { return this.fitIn(this.room); }

  fitIn({ width, height }) {
    return Math.min(width / this.picture.naturalWidth, height / this.picture.naturalHeight) || 1;
  }

  get zoomNow() { return this.scale ?? this.fit; }

  // Who places several reads the rooms of all before: each reading after a writing costs a layout of the page.
  place(room = this.room) {
    if (!this.picture.naturalWidth || !room.width) return;
    const scale = this.scale ?? this.fitIn(room);
    const [width, height] = [this.picture.naturalWidth * scale, this.picture.naturalHeight * scale];
    const bound = (at, size, space) => (size <= space ? (space - size) / 2 : Math.min(0, Math.max(space - size, at)));
    this.x = bound(this.scale === null ? 0 : this.x, width, room.width);
    this.y = bound(this.scale === null ? 0 : this.y, height, room.height);
    this.plane.style.transform = `translate(${this.x}px, ${this.y}px) scale(${scale})`;
    this.plane.style.setProperty("--zoom", scale);
    this.root.toggleAttribute("data-zoomed", this.scale !== null);
    this.plane.classList.toggle("coarse", scale > 5);
    this.onZoom?.();
  }

  // Zooms about a point of the view; never smaller than the whole picture, or than one to one where that is smaller.
  zoomTo(scale, x = this.root.clientWidth / 2, y = this.root.clientHeight / 2) {
    const before = this.zoomNow;
    const after = Math.min(CLOSEST, Math.max(Math.min(this.fit, 1), scale));
    this.x = x - ((x - this.x) * after) / before;
    this.y = y - ((y - this.y) * after) / before;
    this.scale = Math.abs(after - this.fit) < 1e-6 ? null : after;
    this.place();
  }

  zoom(what) {
    if (what === "fit") this.scale = null;
    if (what === "one") this.zoomTo(1);
    if (what === "in" || what === "out") this.zoomTo(this.zoomNow * (what === "in" ? 1.4 : 1 / 1.4));
    this.place();
  }

  move(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.place();
  }

  startStroke(x, y) {
    if (!this.shown) return;
    this.stroking = true;
    this.drawing.begin(...this.onPicture(x, y), this.pen.width, this.pen.erase);
  }

  stroke(x, y) { this.drawing.go(...this.onPicture(x, y)); }

  dropStroke() {
    if (this.stroking) this.drawing.back();
    this.stroking = false;
  }

  onPicture(x, y) { return [(x - this.x) / this.zoomNow, (y - this.y) / this.zoomNow]; }
}
