// A picture beside the view in hand, zoomed and moved with it: the same place of both stays in the middle.
import { element } from "./dom.js";

export class Twin {
  // `tile` is the view that leads; a finger or the wheel on the twin moves both.
  constructor(path, ...words) {
    this.picture = element("img", { src: path, alt: words.join(", "), draggable: "false" });
    this.pane = element("div", { class: "twin" }, this.picture);
    this.root = element("figure", {}, this.pane, element("figcaption", {}, ...words.map((word) => element("span", {}, word))));
    this.picture.addEventListener("load", () => this.place());
    new ResizeObserver(() => this.place()).observe(this.pane);
    this.pane.addEventListener("pointerdown", (event) => this.pane.setPointerCapture(event.pointerId));
    this.pane.addEventListener("pointermove", (event) => {
      if (this.pane.hasPointerCapture(event.pointerId)) this.tile?.move(event.movementX / this.share, event.movementY / this.share);
    });
    this.pane.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.tile?.zoomTo(this.tile.zoomNow * (event.deltaY < 0 ? 1.2 : 1 / 1.2));
    }, { passive: false });
  }

  follow(tile) {
    this.tile = tile;
    this.place();
  }

  get fit() { return Math.min(this.pane.clientWidth / this.picture.naturalWidth, this.pane.clientHeight / this.picture.naturalHeight) || 1; }

  // How much larger the twin is drawn than the view.
  get share() { return this.fit / (this.tile?.fit || 1); }

  place() {
    const { naturalWidth: width, naturalHeight: height } = this.picture;
    if (!width || !this.pane.clientWidth || !this.tile?.picture.naturalWidth) return;
    const { tile } = this;
    const [acrossShare, downShare] = [
      (tile.room.width / 2 - tile.x) / (tile.picture.naturalWidth * tile.zoomNow),
      (tile.room.height / 2 - tile.y) / (tile.picture.naturalHeight * tile.zoomNow),
    ];
    const scale = (this.fit * tile.zoomNow) / tile.fit;
    const [x, y] = [this.pane.clientWidth / 2 - acrossShare * width * scale, this.pane.clientHeight / 2 - downShare * height * scale];
    this.picture.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
  }
}
