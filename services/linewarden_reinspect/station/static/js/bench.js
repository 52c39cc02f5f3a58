// All views of a visit side by side, and the overlays over them.
import { get } from "./api.js";
import { paintLegend } from "./colours.js";
import { byId } from "./dom.js";
import { Tile } from "./tile.js";

const HEATS = [[null, "off"], ["specific", "defect"], ["agnostic", "unusual"]];
const POLL_MS = 400;

export class Bench {
  constructor(onChange) {
    this.onChange = onChange;
    this.tiles = [];
    this.visit = null;
    this.maskOn = localStorage.getItem("linewarden-mask") === "on";
    this.heatAt = Math.max(0, HEATS.findIndex(([, name]) => name === localStorage.getItem("linewarden-heat")));
    this.opacity = Number(localStorage.getItem("linewarden-opacity") ?? 70);
    byId("opacity").value = this.opacity;
    paintLegend(byId("legend-bar"));
    this.overlay();
  }

  show(visit) {
    this.visit = visit;
    const known = new Map(this.tiles.map((tile) => [tile.frame.frame_id, tile]));
    this.tiles = visit.frames.map((frame) => known.get(frame.frame_id) ?? new Tile(frame, (tile) => this.activate(tile)));
    const root = byId("tiles");
    root.replaceChildren(...this.tiles.map((tile) => tile.root));
    root.dataset.count = this.tiles.length > 4 ? "many" : this.tiles.length;
    this.activate(this.tiles.find((tile) => tile === this.active) ?? this.tiles[0]);
    this.fill(visit.token);
  }

  clear() {
    this.visit = null;
    this.tiles = [];
    this.active = undefined;
    delete byId("tiles").dataset.alone;
    byId("alone").setAttribute("aria-pressed", "false");
    byId("tiles").replaceChildren();
  }

  // Asks for what is missing until every picture is shown or known to be missing for good.
  async fill(token) {
    const visit = this.visit;
    while (this.visit === visit && visit.token === token && this.tiles.some((tile) => !tile.shown && !tile.missing)) {
      const answer = await get(`/api/slots/${visit.slot_id}/evidence?token=${token}`).catch(() => ({ frames: [] }));
      if (this.visit !== visit) return;
      await Promise.all(answer.frames.map((found) => this.take(found)));
      this.onChange();
      if (this.tiles.some((tile) => !tile.shown && !tile.missing)) await new Promise((done) => setTimeout(done, POLL_MS));
    }
  }

  async take(found) {
    const tile = this.tiles.find((one) => one.frame.frame_id === found.frame_id);
    if (!tile || tile.shown) return;
    tile.available = found.layers;
    tile.missing = found.state === "missing" ? found.why : null;
    if (tile.missing) tile.say(`No picture: ${tile.missing}`);
    if (found.state !== "here") return;
    await tile.load().catch(() => tile.say("The picture could not be loaded; it is tried again.", true));
    await tile.overlay(this.maskOn, this.heat, this.opacity / 100);
  }

  get heat() { return HEATS[this.heatAt][0]; }

  overlay() {
    localStorage.setItem("linewarden-mask", this.maskOn ? "on" : "off");
    localStorage.setItem("linewarden-heat", HEATS[this.heatAt][1]);
    localStorage.setItem("linewarden-opacity", this.opacity);
    byId("mask").setAttribute("aria-pressed", String(this.maskOn));
    byId("heat").setAttribute("aria-pressed", String(this.heat !== null));
    byId("heat-name").textContent = HEATS[this.heatAt][1];
    byId("legend").toggleAttribute("data-on", this.heat !== null);
    for (const tile of this.tiles) tile.overlay(this.maskOn, this.heat, this.opacity / 100);
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
    byId("zoom").textContent = !tile || tile.scale === null ? "fit" : `${Math.round(tile.scale * 100)} %`;
  }

  step(by) {
    if (!this.tiles.length) return;
    const at = this.tiles.indexOf(this.active);
    this.activate(this.tiles[(at + by + this.tiles.length) % this.tiles.length]);
  }

  alone() {
    const on = byId("tiles").toggleAttribute("data-alone");
    byId("alone").setAttribute("aria-pressed", String(on));
  }

  // What was really painted, for the decision's record.
  shown() {
    return this.tiles.filter((tile) => tile.shown).map((tile) => ({ frame_id: tile.frame.frame_id, layers: tile.visibleLayers(this.maskOn, this.heat) }));
  }
}
