// All views of a visit side by side, the overlays over them, and the pen.
import { get } from "./api.js";
import { paintLegend } from "./colours.js";
import { byId } from "./dom.js";
import { t } from "./texts.js";
import { Tile } from "./tile.js";

const HEATS = [null, "specific", "agnostic", "difference"];
const WIDTHS = [3, 6, 12, 24, 48];
const POLL_MS = 400;
const PAN = 60;

export class Bench {
  constructor(onChange) {
    Object.assign(this, { onChange, onMove: () => undefined, tiles: [], visit: null, told: false, pen: null, widthAt: 2, erase: false });
    this.maskOn = localStorage.getItem("linewarden-mask") === "on";
    this.heatAt = Math.max(0, HEATS.indexOf(localStorage.getItem("linewarden-heat")));
    this.opacity = Number(localStorage.getItem("linewarden-opacity") ?? 70);
    byId("opacity").value = this.opacity;
    paintLegend(byId("legend-bar"));
    this.overlay();
  }

  // Shows a visit; views that were fetched ahead are taken over as they are.
  show(visit, fetched = []) {
    const known = new Map([...this.tiles, ...fetched].map((tile) => [tile.frame.frame_id, tile]));
    this.visit = visit;
    this.tiles = visit.frames.map((frame) => known.get(frame.frame_id) ?? this.tile(frame));
    const root = byId("tiles");
    root.replaceChildren(...this.tiles.map((tile) => tile.root));
    root.dataset.count = this.tiles.length > 4 ? "many" : this.tiles.length;
    this.tell(visit.told);
    this.place(this.tiles.filter((tile) => tile.isHere && !tile.shown));
    if (!this.tiles.includes(this.active)) this.activate(this.tiles.find((tile) => tile.isMarked) ?? this.tiles[0]);
    this.fill(visit);
  }

  // Pictures that are decoded already go on the screen at once; `painted` resolves when they are there.
  place(ready) {
    const rooms = ready.map((tile) => tile.room);
    ready.forEach((tile, at) => tile.place(rooms[at]));
    this.painted = Promise.all(ready.map((tile) => tile.painted()));
  }

  tile(frame) { return new Tile(frame, (tile) => this.activate(tile)); }

  // Which view the doubt is about: it takes the first place, and the overlays are open from here on. The places stay.
  tell(told) {
    this.told = told !== null;
    byId("overlays").toggleAttribute("data-closed", !this.told);
    for (const tile of this.tiles) tile.tell(this.told && tile.frame.frame_id === told.marked);
    const marked = this.tiles.find((tile) => tile.isMarked);
    for (const tile of this.tiles) tile.root.toggleAttribute("data-first", tile === (marked ?? this.tiles[0]));
    if (marked) this.activate(marked);
  }

  // The views as they stand on the screen.
  get inOrder() { return [...this.tiles].sort((one, other) => other.root.hasAttribute("data-first") - one.root.hasAttribute("data-first")); }

  clear() {
    Object.assign(this, { visit: null, tiles: [], active: undefined, told: false, filling: null });
    this.setPen(false);
    delete byId("tiles").dataset.alone;
    byId("alone").setAttribute("aria-pressed", "false");
    byId("tiles").replaceChildren();
    byId("overlays").toggleAttribute("data-closed", true);
  }

  // Asks for what is missing until every picture is shown or known to be missing for good.
  async fill({ slot_id: slot, token }) {
    const isOurs = () => this.visit?.token === token;
    const lacks = () => isOurs() && this.tiles.some((tile) => !tile.missing && (!tile.shown || (this.told && !tile.asked)));
    if (this.filling === token) return;
    this.filling = token;
    while (lacks()) {
      const answer = await get(`/api/slots/${slot}/evidence?token=${token}`).catch(() => ({ frames: [] }));
      if (!isOurs()) return;
      await Promise.all(answer.frames.map((found) => this.take(found)));
      this.onChange();
      if (lacks()) await new Promise((done) => setTimeout(done, POLL_MS));
    }
    if (this.filling === token) this.filling = null;
  }

  async take(found) {
    const tile = this.tiles.find((one) => one.frame.frame_id === found.frame_id);
    if (!tile) return;
    tile.available = found.layers;
    tile.asked = this.told;
    tile.missing = found.state === "missing" ? found.why : null;
    if (tile.missing) tile.say(t("tile.missing", { why: tile.missing }));
    if (found.state !== "here") return;
    if (!tile.shown) await tile.load().catch(() => tile.say(t("tile.again"), true));
    await this.cover(tile);
    if (tile.isMarked && this.told) this.showPeak(await tile.point());
  }

  // Where on the fixed scale the marked place lies.
  showPeak(share) {
    byId("legend-peak").hidden = share === null;
    byId("legend-peak").style.left = `${(share ?? 0) * 100}%`;
  }

  get heat() { return HEATS[this.heatAt]; }

  cover(tile) { return tile.overlay(this.told && this.maskOn, this.told ? this.heat : null, this.opacity / 100); }

  overlay() {
    localStorage.setItem("linewarden-mask", this.maskOn ? "on" : "off");
    localStorage.setItem("linewarden-heat", this.heat ?? "off");
    localStorage.setItem("linewarden-opacity", this.opacity);
    byId("mask").setAttribute("aria-pressed", String(this.maskOn));
    byId("heat").setAttribute("aria-pressed", String(this.heat !== null));
    byId("heat-name").textContent = t(`heat.${this.heat ?? "off"}`);
    byId("legend").toggleAttribute("data-on", this.heat !== null);
    for (const tile of this.tiles) this.cover(tile);
  }

  toggleMask() { this.maskOn = !this.maskOn; this.overlay(); }
  nextHeat() { this.heatAt = (this.heatAt + 1) % HEATS.length; this.overlay(); }
  strength(value) { this.opacity = value; this.overlay(); }

  activate(tile) {
    this.active = tile;
    for (const one of this.tiles) {
      one.root.toggleAttribute("data-active", one === tile);
      one.onZoom = one === tile ? () => this.tellZoom() : undefined;
    }
    this.tellZoom();
    this.onChange();
  }

  tellZoom() {
    const tile = this.active;
    byId("zoom").textContent = !tile || tile.scale === null ? t("zoom.fit") : `${Math.round(tile.scale * 100)} %`;
    if (tile) this.onMove(tile);
  }

  step(by) {
    if (!this.tiles.length) return;
    const at = this.inOrder.indexOf(this.active);
    this.activate(this.inOrder[(at + by + this.tiles.length) % this.tiles.length]);
  }

  pan(x, y) { this.active?.move(x * PAN, y * PAN); }

  alone() {
    const on = byId("tiles").toggleAttribute("data-alone");
    byId("alone").setAttribute("aria-pressed", String(on));
  }

  setPen(on, erase = false) {
    this.pen = on ? { width: WIDTHS[this.widthAt], erase } : null;
    for (const tile of this.tiles) tile.pen = this.pen;
    byId("draw").setAttribute("aria-pressed", String(on && !erase));
    byId("erase").setAttribute("aria-pressed", String(on && erase));
    byId("tiles").toggleAttribute("data-drawing", on);
    byId("pen-tools").hidden = !on;
    byId("pen-width").textContent = t("pen.width", { pixels: WIDTHS[this.widthAt] });
  }

  draw() { this.setPen(this.pen === null || this.pen.erase); }
  wipe() { this.setPen(this.pen === null || !this.pen.erase, true); }
  thickness(by) {
    this.widthAt = Math.min(WIDTHS.length - 1, Math.max(0, this.widthAt + by));
    this.setPen(this.pen !== null, this.pen?.erase ?? false);
  }
  unstroke() { this.active?.drawing.back(); }
  async takeMask() { this.active?.drawing.take(await this.active.layer("mask")); }

  async marks() {
    const drawn = await Promise.all(this.tiles.map(async (tile) => ({ frame_id: tile.frame.frame_id, mask_png: await tile.drawing.png() })));
    return drawn.filter((one) => one.mask_png !== null);
  }

  // What was really painted since the visit is here, for the decision's record.
  shown() {
    return this.tiles.filter((tile) => tile.shown).map((tile) => ({ frame_id: tile.frame.frame_id, layers: [...tile.seen] }));
  }
}
