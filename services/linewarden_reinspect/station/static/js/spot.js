// Where a map is hottest, however faint: the piece around its peak that has at least half of it, or more of it where
// that is no place but half of the picture.
const SHARES = [0.5, 0.7, 0.85, 0.95];
const MOST_AREA = 0.2;
const MARGIN = 0.03; // of the picture, on each side: a frame hides nothing of what it frames

// Mean over three by three, so that one pixel of noise is no peak.
function smooth({ width, height, levels }) {
  const means = new Float32Array(levels.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      let [sum, count] = [0, 0];
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v += 1) {
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u += 1) { sum += levels[v * width + u]; count += 1; }
      }
      means[y * width + x] = sum / count;
    }
  }
  return means;
}

// Left, top, width and height as shares of the picture, and the peak as a share of the scale; null of an empty map.
export function spotOf(grey) {
  const { width, height } = grey;
  const means = smooth(grey);
  let top = 0;
  for (let pixel = 1; pixel < means.length; pixel += 1) if (means[pixel] > means[top]) top = pixel;
  const peak = means[top];
  if (!(peak > 0)) return null;
  const boxes = SHARES.map((share) => pieceAround(top, share * peak, means, grey));
  const box = boxes.find((one) => (one.right - one.left) * (one.bottom - one.top) <= MOST_AREA * width * height) ?? boxes.at(-1);
  const [left, upper] = [Math.max(0, box.left / width - MARGIN), Math.max(0, box.top / height - MARGIN)];
  return {
    left, top: upper, peak: peak / 255,
    width: Math.min(1, box.right / width + MARGIN) - left, height: Math.min(1, box.bottom / height + MARGIN) - upper,
  };
}

function pieceAround(top, least, means, { width, height }) {
  const box = { left: width, top: height, right: 0, bottom: 0 };
  const seen = new Uint8Array(means.length);
  const next = [top];
  seen[top] = 1;
  while (next.length) {
    const pixel = next.pop();
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    box.left = Math.min(box.left, x); box.right = Math.max(box.right, x + 1);
    box.top = Math.min(box.top, y); box.bottom = Math.max(box.bottom, y + 1);
    for (const [u, v] of [[x - 1, y], [x + 1, y], [x, y - 1], [x, y + 1]]) {
      const at = v * width + u;
      if (u < 0 || v < 0 || u >= width || v >= height || seen[at] || means[at] < least) continue;
      seen[at] = 1;
      next.push(at);
    }
  }
  return box;
}
