// What a person draws over a picture: strokes of a brush or an eraser, each of which can be taken back.
import { element } from "./dom.js";

const COLOUR = "rgb(255, 64, 220)";

export class Drawing {
  constructor() {
    this.canvas = element("canvas", { class: "drawn", hidden: true });
    this.strokes = [];
  }

  size(width, height) {
    if (this.canvas.width === width && this.canvas.height === height) return;
    Object.assign(this.canvas, { width, height });
    if (!this.isEmpty) this.paint();
  }

  get isEmpty() { return this.strokes.length === 0; }

  begin(x, y, width, erase) {
    this.strokes.push({ width, erase, points: [[x, y]] });
    this.paint();
  }

  go(x, y) {
    this.strokes.at(-1)?.points.push([x, y]);
    this.paint();
  }

  back() {
    this.strokes.pop();
    this.paint();
  }

  // Takes the network's mask as if it had been drawn.
  take(grey) {
    if (grey) this.strokes.push({ grey });
    this.paint();
  }

  paint() {
    this.canvas.hidden = this.isEmpty;
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    context.globalCompositeOperation = "source-over";
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    for (const stroke of this.strokes) {
      if (stroke.grey) this.paintGrey(context, stroke.grey);
      else this.paintStroke(context, stroke);
    }
  }

  paintStroke(context, { width, erase, points }) {
    context.globalCompositeOperation = erase ? "destination-out" : "source-over";
    Object.assign(context, { lineWidth: width, lineCap: "round", lineJoin: "round", strokeStyle: COLOUR });
    context.beginPath();
    context.moveTo(...points[0]);
    for (const point of points) context.lineTo(...point);
    context.stroke();
  }

  paintGrey(context, { width, height, levels }) {
    const mask = element("canvas", {});
    Object.assign(mask, { width, height });
    const image = new ImageData(width, height);
    for (let pixel = 0; pixel < levels.length; pixel += 1) if (levels[pixel] >= 128) image.data.set([255, 64, 220, 255], pixel * 4);
    mask.getContext("2d").putImageData(image, 0, 0);
    context.globalCompositeOperation = "source-over";
    context.drawImage(mask, 0, 0, this.canvas.width, this.canvas.height);
  }

  // The PNG in base64; null where nothing is drawn or everything was wiped off again.
  async png() {
    if (this.isEmpty) return null;
    const { data } = this.canvas.getContext("2d").getImageData(0, 0, this.canvas.width, this.canvas.height);
    if (!data.some((level, at) => at % 4 === 3 && level >= 128)) return null;
    return this.canvas.toDataURL("image/png").split(",")[1];
  }
}
