// One view on the bench: picture, mask and heatmap on one plane that is zoomed and moved.
import { loadGrey, paintHeat, paintMask } from "./colours.js";
import { element } from "./dom.js";

const CLOSEST = 16;

export class Tile {
  constructor(frame, onActive) {
    this.frame = frame;
    this.scale = null;
    this.layers = {};
    this.shown = false;
    this.picture = new Image();
    this.picture.alt = `View ${frame.view_id}`;
    this.mask = element("canvas", { hidden: true });
    this.heat = element("canvas", { hidden: true });
    this.plane = element("div", { class: "plane" }, this.picture, this.heat, this.mask);
    this.wait = element("div", { class: "wait" });
    const kind = { OK: "chip good", NG: "chip bad" }[frame.verdict] ?? "chip";
    const name = element("div", { class: "name" }, frame.view_id, element("span", { class: kind }, frame.verdict_text));
    this.root = element("div", { class: "tile", tabindex: "-1", "aria-label": `View ${frame.view_id}` }, this.plane, this.wait, name);
    this.say("Waiting for the picture…", true);
    this.listen(onActive);
    new ResizeObserver(() => this.place()).observe(this.root);
  }

  say(text, waiting = false) {
    this.wait.hidden = text === null;
    this.wait.classList.toggle("gone", !waiting);
    this.wait.replaceChildren(...(waiting ? [element("span", { class: "spin" })] : []), element("span", {}, text ?? ""));
  }

  // Resolves once the picture is decoded and painted: only then was it shown.
  async load() {
    this.picture.src = `/frames/${this.frame.frame_id}/picture`;
    await this.picture.decode();
    this.plane.style.width = `${this.picture.naturalWidth}px`;
    this.plane.style.height = `${this.picture.naturalHeight}px`;
    this.say(null);
    this.place();
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    this.shown = true;
  }

  async overlay(mask, heat, opacity) {
    this.mask.hidden = !mask || !(await this.layer("mask"));
    const grey = heat === null ? null : await this.layer(heat);
    this.heat.hidden = !grey;
    if (grey) paintHeat(this.heat, grey);
    if (!this.mask.hidden) paintMask(this.mask, this.layers.mask);
    this.heat.style.opacity = opacity;
    this.mask.style.opacity = Math.min(1, opacity + 0.2);
  }

  async layer(name) {
    if (!this.shown || !this.available?.includes(name)) return null;
    this.layers[name] ??= await loadGrey(`/frames/${this.frame.frame_id}/${name}`);
    return this.layers[name];
  }

  visibleLayers(mask, heat) {
    return ["picture", ...(mask && !this.mask.hidden ? ["mask"] : []), ...(heat && !this.heat.hidden ? [heat] : [])];
  }

  get fit() {
    const { clientWidth: width, clientHeight: height } = this.root;
    return Math.min(width / this.picture.naturalWidth, height / this.picture.naturalHeight) || 1;
  }

  place() {
    if (!this.picture.naturalWidth || !this.root.clientWidth) return;
    const scale = this.scale ?? this.fit;
    const [width, height] = [this.picture.naturalWidth * scale, this.picture.naturalHeight * scale];
    const bound = (at, size, room) => (size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, at)));
    this.x = bound(this.scale === null ? 0 : this.x, width, this.root.clientWidth);
    this.y = bound(this.scale === null ? 0 : this.y, height, this.root.clientHeight);
    this.plane.style.transform = `translate(${this.x}px, ${this.y}px) scale(${scale})`;
    this.plane.classList.toggle("coarse", scale > 5);
    this.onZoom?.();
  }

  zoomTo(scale, x = this.root.clientWidth / 2, y = this.root.clientHeight / 2) {
    const before = this.scale ?? this.fit;
    const after = Math.min(CLOSEST, Math.max(this.fit, scale));
    this.x = x - ((x - this.x) * after) / before;
    this.y = y - ((y - this.y) * after) / before;
    this.scale = after <= this.fit ? null : after;
    this.place();
  }

  zoom(what) {
    if (what === "fit") this.scale = null;
    if (what === "one") this.zoomTo(1);
    if (what === "in" || what === "out") this.zoomTo((this.scale ?? this.fit) * (what === "in" ? 1.4 : 1 / 1.4));
    this.place();
  }

  move(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.place();
  }

  listen(onActive) {
    this.root.addEventListener("pointerdown", (event) => {
      onActive(this);
      this.root.setPointerCapture(event.pointerId);
      this.root.classList.add("dragging");
    });
    this.root.addEventListener("pointermove", (event) => {
      if (this.root.hasPointerCapture(event.pointerId)) this.move(event.movementX, event.movementY);
    });
    this.root.addEventListener("pointerup", () => this.root.classList.remove("dragging"));
    this.root.addEventListener("wheel", (event) => {
      event.preventDefault();
      onActive(this);
      const box = this.root.getBoundingClientRect();
      this.zoomTo((this.scale ?? this.fit) * (event.deltaY < 0 ? 1.2 : 1 / 1.2), event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });
    this.root.addEventListener("dblclick", () => this.zoom(this.scale === null ? "one" : "fit"));
  }
}
