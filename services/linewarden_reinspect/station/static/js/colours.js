// Colours of heatmaps and masks. The scale is the bundle's: 0 is nothing, 255 its fixed top, for every picture.
const STOPS = [
  [0, 40, 60, 190, 0], [0.2, 50, 110, 240, 36], [0.38, 20, 190, 190, 130],
  [0.56, 240, 215, 60, 185], [0.76, 250, 130, 30, 220], [1, 225, 25, 45, 245],
];

function mix(share) {
  const upper = STOPS.findIndex((stop) => stop[0] >= share);
  const [a, b] = [STOPS[Math.max(0, upper - 1)], STOPS[upper]];
  const part = b[0] === a[0] ? 0 : (share - a[0]) / (b[0] - a[0]);
  return [1, 2, 3, 4].map((channel) => Math.round(a[channel] + part * (b[channel] - a[channel])));
}

const TABLE = new Uint8ClampedArray(1024);
for (let level = 0; level < 256; level += 1) TABLE.set(mix(level / 255), level * 4);

export function paintHeat(canvas, grey) {
  const image = new ImageData(grey.width, grey.height);
  for (let pixel = 0; pixel < grey.levels.length; pixel += 1) {
    image.data.set(TABLE.subarray(grey.levels[pixel] * 4, grey.levels[pixel] * 4 + 4), pixel * 4);
  }
  put(canvas, image);
}

export function paintMask(canvas, grey) {
  const { width, height, levels } = grey;
  const image = new ImageData(width, height);
  const marked = (x, y) => x >= 0 && y >= 0 && x < width && y < height && levels[y * width + x] >= 128;
  const reach = Math.max(1, Math.round(Math.max(width, height) / 500));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (!marked(x, y)) continue;
      const edge = !marked(x - reach, y) || !marked(x + reach, y) || !marked(x, y - reach) || !marked(x, y + reach);
      image.data.set(edge ? [255, 64, 220, 255] : [255, 64, 220, 70], (y * width + x) * 4);
    }
  }
  put(canvas, image);
}

// Where the two maps differ, on their common scale.
export function difference(one, other) {
  const levels = one.levels.map((level, pixel) => {
    const [x, y] = [pixel % one.width, Math.floor(pixel / one.width)];
    const [ox, oy] = [Math.floor((x * other.width) / one.width), Math.floor((y * other.height) / one.height)];
    return Math.abs(level - other.levels[oy * other.width + ox]);
  });
  return { width: one.width, height: one.height, levels };
}

export function paintLegend(canvas) {
  const levels = new Uint8Array(canvas.width * canvas.height).map((_, index) => Math.round(((index % canvas.width) / (canvas.width - 1)) * 255));
  paintHeat(canvas, { width: canvas.width, height: canvas.height, levels });
}

function put(canvas, image) {
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

export async function loadGrey(path) {
  const picture = new Image();
  picture.src = path;
  await picture.decode();
  const canvas = document.createElement("canvas");
  canvas.width = picture.naturalWidth;
  canvas.height = picture.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
  const levels = new Uint8Array(width * height);
  for (let pixel = 0; pixel < levels.length; pixel += 1) levels[pixel] = data[pixel * 4];
  return { width, height, levels };
}
