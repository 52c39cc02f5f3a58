// The yield over the shift as one line; a stretch without a settled part breaks it.
import { draw } from "./svg.js";
import { t } from "./texts.js";

const WIDTH = 420;
const HEIGHT = 120;

export function trend(points) {
  const known = points.filter((one) => one.n > 0);
  const low = known.length ? Math.min(0.9, ...known.map((one) => one.ok / one.n)) : 0.9;
  const floor = Math.floor(low * 10) / 10;
  const first = points.length ? points[0].at_ms : 0;
  const span = points.length ? Math.max(1, points[points.length - 1].at_ms - first) : 1;
  const x = (at) => (48 + (at - first) / span * (WIDTH - 60)).toFixed(1);
  const y = (share) => (10 + (1 - (share - floor) / (1 - floor)) * (HEIGHT - 34)).toFixed(1);
  const words = known.length ? t("line.trend_of", { low: (100 * low).toFixed(0), n: known.reduce((sum, one) => sum + one.n, 0) }) : t("line.no_trend");
  const made = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "trend", role: "img", "aria-label": words });
  for (const share of [floor, 1]) {
    made.append(draw("line", { class: "grid", x1: 48, x2: WIDTH - 12, y1: y(share), y2: y(share) }), draw("text", { x: 42, y: Number(y(share)) + 4, class: "end" }, `${Math.round(100 * share)} %`));
  }
  if (!known.length) {
    made.append(draw("text", { x: WIDTH / 2, y: HEIGHT / 2 }, t("line.no_trend")));
    return made;
  }
  made.append(draw("polyline", { class: "ours", points: known.map((one) => `${x(one.at_ms)},${y(one.ok / one.n)}`).join(" ") }));
  for (const one of known) made.append(draw("circle", { class: "dot", cx: x(one.at_ms), cy: y(one.ok / one.n), r: 3 }));
  const time = (at) => new Date(at).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  made.append(draw("text", { x: 48, y: HEIGHT - 6, class: "begin" }, time(first)), draw("text", { x: WIDTH - 12, y: HEIGHT - 6, class: "end" }, time(points[points.length - 1].at_ms)));
  return made;
}
