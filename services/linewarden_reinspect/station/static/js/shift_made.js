// What the line made in a shift: the document of the report as charts. What part data lacks has no chart.
import { byId, duration, element } from "./dom.js";
import { draw } from "./svg.js";
import { t } from "./texts.js";

const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
const clock = (ms) => new Date(ms).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });

export function showMade(report) {
  byId("made").hidden = report.visits === 0;
  const left = Object.entries(report.left_out).map(([why, count]) => `${count} ${why}`).join(", ");
  const simulated = report.simulated ? t("shift.with_simulated") : "";
  byId("made-note").textContent = [t("shift.visits", { count: report.visits, settled: report.settled }), left && t("shift.left_out", { left }), simulated].filter(Boolean).join(" ");
  byId("rates").replaceChildren(...report.rates.map(rate));
  const known = ["class", "zone", "camera", "cavity"].filter((by) => report.pareto[by]?.length);
  byId("paretos").replaceChildren(...known.map((by) => pareto(by, report)));
  byId("p-chart").replaceChildren(pChart(report.p_chart));
  byId("positions").replaceChildren(...Object.entries(report.positions).map(([view, map]) => positions(view, map)));
  if (!Object.keys(report.positions).length) byId("positions").replaceChildren(element("p", { class: "muted" }, t("shift.no_positions")));
  byId("times").replaceChildren(...times(report));
}

function rate(one) {
  const known = one.of > 0;
  return element("div", { class: "panel figure" }, element("small", {}, t(`shift.rate.${one.name}`)), element("b", {}, known ? percent(one.value) : "–"),
    element("small", {}, known ? t("shift.interval", { count: one.count, of: one.of, low: percent(one.low), high: percent(one.high) }) : t("shift.no_evidence")));
}

// Each row leads to the pictures behind it, where pictures can be asked for by it.
const ASKED = { class: "defect_class", zone: "zone", camera: "camera" };

function pareto(by, report) {
  const rows = report.pareto[by];
  const most = rows[0].count;
  const path = (name) => `/pictures?${new URLSearchParams({ [ASKED[by]]: name, standing: "ng", from_ms: report.from_ms, to_ms: report.to_ms })}`;
  const name = (one) => (ASKED[by] && one.name !== "not named" && one.name !== "in no zone" ? element("a", { href: path(one.name) }, one.name) : one.name);
  const line = (one) => element("tr", {}, element("th", { scope: "row" }, name(one)), element("td", {}, element("meter", { min: 0, max: most, value: one.count, "aria-label": one.name })),
    element("td", { class: "num" }, `${one.count}`), element("td", { class: "num" }, percent(one.running, 0)));
  return element("div", {}, element("h3", {}, t(`shift.by.${by}`)), element("table", { class: "pareto" }, element("tbody", {}, ...rows.slice(0, 8).map(line))));
}

function pChart(chart) {
  const { points } = chart;
  if (!points.length) return element("p", { class: "muted" }, t("shift.nothing_made"));
  const [width, height, left, bottom] = [960, 240, 60, 28];
  const most = Math.max(1e-9, ...points.map((one) => Math.max(one.share, one.upper)));
  const step = (width - left - 16) / points.length;
  const x = (place) => left + step * place;
  const y = (share) => 12 + (height - 12 - bottom) * (1 - share / most);
  const steps = (key) => points.flatMap((one, place) => [`${x(place).toFixed(1)},${y(one[key]).toFixed(1)}`, `${x(place + 1).toFixed(1)},${y(one[key]).toFixed(1)}`]).join(" ");
  const signals = points.filter((one) => one.signal).length;
  const made = draw("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart wide", role: "img", "aria-label": t("shift.p_chart_of", { n: points.length, signals }) });
  for (const part of [0, 0.5, 1]) made.append(draw("line", { class: "grid", x1: left, x2: width - 16, y1: y(most * part), y2: y(most * part) }), draw("text", { class: "end", x: left - 8, y: y(most * part) + 4 }, percent(most * part)));
  const every = Math.ceil(points.length / 8);
  points.forEach((one, place) => { if (place % every === 0) made.append(draw("text", { x: x(place + 0.5), y: height - 8 }, clock(one.at_ms))); });
  made.append(draw("line", { class: "rival", x1: left, x2: width - 16, y1: y(chart.centre), y2: y(chart.centre) }), draw("polyline", { class: "limit", points: steps("upper") }), draw("polyline", { class: "limit", points: steps("lower") }),
    draw("polyline", { class: "ours", points: points.map((one, place) => `${x(place + 0.5).toFixed(1)},${y(one.share).toFixed(1)}`).join(" ") }));
  points.forEach((one, place) => {
    const dot = draw("circle", { class: one.signal ? "signal" : "dot", cx: x(place + 0.5), cy: y(one.share), r: one.signal ? 7 : 4 });
    dot.append(draw("title", {}, t("shift.point", { time: clock(one.at_ms), count: one.defective, n: one.n })));
    made.append(dot);
  });
  return element("div", {}, made, element("p", { class: "note" }, t("shift.p_chart_note", { centre: percent(chart.centre, 2), signals })));
}

function positions(view, map) {
  const most = Math.max(1, ...map.cells.map((cell) => cell[2]));
  const made = draw("svg", { viewBox: `0 0 ${map.columns * 20} ${map.rows * 20}`, class: "chart", role: "img", "aria-label": t("shift.positions_of", { view, n: map.spots }) });
  made.append(draw("rect", { class: "edge", width: map.columns * 20, height: map.rows * 20 }));
  for (const [column, row, count] of map.cells) {
    const cell = draw("circle", { class: "cell", cx: column * 20 + 10, cy: row * 20 + 10, r: (4 + 10 * Math.sqrt(count / most)).toFixed(1) });
    cell.append(draw("title", {}, String(count)));
    made.append(cell);
  }
  return element("figure", {}, made, element("figcaption", { class: "note" }, t("shift.positions_of", { view, n: map.spots })));
}

function times(report) {
  if (!report.periods.length) return [element("p", { class: "problem" }, t("shift.no_states"))];
  const span = Math.max(1, report.to_ms - report.from_ms);
  const strips = [...new Set(report.periods.map((one) => one.line_id))].map((line) => {
    const made = draw("svg", { viewBox: "0 0 1000 30", preserveAspectRatio: "none", class: "strip", role: "img", "aria-label": t("shift.states_of", { line }) });
    for (const one of report.periods.filter((period) => period.line_id === line)) made.append(draw("rect", { class: one.mode, x: (1000 * (one.begin_ms - report.from_ms) / span).toFixed(2), width: (1000 * (one.end_ms - one.begin_ms) / span).toFixed(2), height: 30 }));
    return element("figure", {}, element("figcaption", { class: "note" }, line), made);
  });
  const total = Object.entries(report.time_ms).filter(([, ms]) => ms).map(([mode, ms]) => `${t(`line.mode.${mode}`)} ${duration(ms)}`).join(" · ");
  const held = report.periods.filter((one) => one.mode === "bypass" || one.mode === "stopped");
  const row = (one) => element("tr", {}, element("td", {}, one.line_id), element("td", {}, t(`line.mode.${one.mode}`)), element("td", {}, clock(one.begin_ms)), element("td", { class: "num" }, duration(one.end_ms - one.begin_ms)), element("td", {}, one.actor), element("td", {}, one.reason ?? "—"));
  const heads = ["queue.line", "shift.state", "sheet.from", "shift.lasted", "queue.who", "shift.reason"].map((key) => element("th", { scope: "col" }, t(key)));
  return [...strips, element("p", { class: "note" }, total), held.length ? element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...held.map(row))) : element("p", { class: "note" }, t("shift.no_stop"))];
}
