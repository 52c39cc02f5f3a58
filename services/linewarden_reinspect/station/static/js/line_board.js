// The board of one line: built once, filled again with each look. Pictures are kept while they are shown.
import { duration, element } from "./dom.js";
import { trend } from "./line_trend.js";
import { t } from "./texts.js";

const SYMBOLS = { good: "✓", trouble: "!", dead: "✕", unknown: "?", stopped: "‖", setup: "⚒", verification: "⚖", bypass: "⇉" };
const CAMERA_EVERY_MS = 5000;
const field = (name, kind = "span", more = {}) => element(kind, { "data-field": name, ...more });

export function board(name) {
  const figure = (key) => element("div", { class: "count", "data-count": key }, field(`count-${key}`, "b"), element("small", {}, t(`line.count.${key}`)));
  const made = element("article", { class: "board", "aria-label": name },
    element("header", { class: "state" },
      field("symbol", "span", { class: "symbol", "aria-hidden": "true" }),
      element("div", { class: "what" }, element("h2", {}, name), field("level", "p", { class: "level", role: "status" }), field("about", "p", { class: "about" })),
      element("div", { class: "pace" }, field("pace", "b"), element("small", {}, t("line.per_minute")), field("target", "small"), field("since", "small")),
      element("div", { class: "yield" }, field("yield", "b"), element("small", {}, t("line.yield")), field("settled", "small"))),
    field("alarms", "ul", { class: "alarms", "aria-live": "polite" }),
    element("section", { class: "counts", "aria-label": t("line.counts") }, ...["ok", "ng", "reviewed", "late"].map(figure),
      element("div", { class: "count", "data-count": "waiting" }, field("waiting", "b"), element("small", {}, t("line.waiting")), field("oldest", "small"))),
    element("div", { class: "columns" },
      element("section", { class: "panel" }, element("h3", {}, t("line.trend")), field("trend", "div")),
      element("section", { class: "panel" }, element("h3", {}, t("line.stages")), field("stages", "ul", { class: "stages" }), element("h3", {}, t("line.running")), field("running", "p"))),
    element("section", { class: "panel", "data-section": "cameras" }, element("h3", {}, t("line.cameras")), field("cameras", "div", { class: "cameras" })),
    element("section", { class: "panel", "data-section": "parts" }, element("h3", {}, t("line.parts")), field("parts", "ol", { class: "parts" })));
  made.tiles = new Map();
  made.cameras = new Map();
  return made;
}

export function show(board, line, look) {
  const set = (name, text) => {
    const box = board.querySelector(`[data-field="${name}"]`);
    if (box.textContent !== text) box.textContent = text; // said once, and not with every look
  };
  const age = (ms) => duration(look.now - ms);
  board.dataset.level = line.level;
  set("symbol", SYMBOLS[line.level]);
  set("level", t(`line.level.${line.level}`));
  set("about", about(line));
  set("pace", String(line.pace.per_minute));
  set("target", line.pace.target ? t("line.target", { rate: line.pace.target }) : "");
  set("since", line.pace.newest_ms ? t("line.newest", { age: age(line.pace.newest_ms) }) : t("line.no_part_yet"));
  const settled = line.counts.ok + line.counts.ng;
  set("yield", settled ? `${(100 * line.counts.ok / settled).toFixed(1)} %` : "–");
  set("settled", t("line.settled", { n: settled }));
  for (const key of ["ok", "ng", "reviewed", "late"]) set(`count-${key}`, String(line.counts[key]));
  const waiting = line.waiting;
  set("waiting", waiting ? String(waiting.ready + waiting.leased + waiting.for_a_lead) : "–");
  set("oldest", waiting?.oldest_ms ? t("line.oldest", { age: age(waiting.oldest_ms) }) : waiting ? t("line.nobody_waits") : t("line.not_known"));
  alarms(board, line);
  board.querySelector('[data-field="trend"]').replaceChildren(trend(line.trend));
  stages(board, line, age);
  set("running", running(line.running));
  cameras(board, line, look, age);
  parts(board, line, look);
}

function about(line) {
  const state = line.state;
  if (!state) return t("line.no_state");
  const words = [t(`line.mode.${state.mode}`), state.product_id, state.order_id && t("line.order", { order: state.order_id }), state.lot_id && t("line.lot", { lot: state.lot_id }), state.shift && t("line.shift", { shift: state.shift }), line.counts.simulated ? t("line.simulated", { count: line.counts.simulated }) : null];
  return words.filter(Boolean).join(" · ");
}

function alarms(board, line) {
  const box = board.querySelector('[data-field="alarms"]');
  const key = JSON.stringify(line.alarms);
  box.hidden = !line.alarms.length;
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  box.replaceChildren(...line.alarms.map((one) => element("li", { "data-grave": one.grave ? "yes" : "no" },
    element("b", {}, one.listed ? [t(`alarm.kind.${one.key}`), one.subject].filter(Boolean).join(": ") : t(`line.alarm.${one.key}`, one.values)), " ",
    element("span", {}, t(one.listed ? `alarm.do.${one.key}` : `line.do.${one.key}`, one.values)))));
}

function stages(board, line, age) {
  board.querySelector('[data-field="stages"]').replaceChildren(...line.stages.map((one) => {
    const late = one.away || (one.oldest_ms !== null && one.behind > 0);
    const text = one.stage === "queue" ? t(one.away ? "line.queue_away" : "line.queue_live") : one.behind ? t("line.behind", { count: one.behind }) : t("line.up_to_date");
    const oldest = one.behind && one.oldest_ms ? t("line.oldest", { age: age(one.oldest_ms) }) : null;
    return element("li", { "data-late": late ? "yes" : "no" }, element("b", {}, t(`line.stage.${one.stage}`)), " ", [text, oldest, one.workers.join(", ")].filter(Boolean).join(" · "));
  }));
}

function running(told) {
  if (!told) return t("line.nothing_runs");
  const bundle = told.bundle ? t("line.bundle", { bundle: told.bundle, stage: told.stage ?? "?" }) : null;
  return [told.recipe, bundle, t(`line.qualification.${told.qualification}`, { day: told.expires ?? "" })].filter(Boolean).join(" · ");
}

function cameras(board, line, look, age) {
  const box = board.querySelector('[data-field="cameras"]');
  for (const one of line.cameras) {
    let card = board.cameras.get(one.camera_id);
    if (!card) {
      card = element("figure", { class: "camera" }, element("span", { class: "frame" }), element("figcaption", {}, element("b", {}, one.camera_id), element("span", { class: "health" }), element("small", {})));
      board.cameras.set(one.camera_id, card);
      box.append(card);
    }
    const ill = one.conditions.length ? one.conditions.map((word) => t(`line.condition.${word}`)).join(", ") : look.now - one.heard_ms > 20000 ? t("line.silent") : null;
    card.dataset.ill = ill ? "yes" : "no";
    card.querySelector(".health").textContent = ill ?? t("line.well");
    card.querySelector("small").textContent = [t("line.a_minute", { rate: one.per_minute }), one.newest_ms ? t("line.ago", { age: age(one.newest_ms) }) : t("line.no_picture"), one.lost ? t("line.lost", { count: one.lost }) : null].filter(Boolean).join(" · ");
    const frame = card.querySelector(".frame");
    frame.hidden = !one.frame_id;
    if (one.frame_id && card.frame !== one.frame_id && look.now - (card.shownMs ?? 0) > CAMERA_EVERY_MS) {
      card.frame = one.frame_id;
      card.shownMs = look.now;
      picture(frame, `${look.frames}${encodeURIComponent(one.frame_id)}`, t("line.picture_of", { camera: one.camera_id }));
    }
  }
}

// The old picture stays until the new one is there; one that is gone leaves an empty frame, as a broken one would tell nothing.
function picture(frame, path, alt) {
  const image = element("img", { alt, src: path });
  image.addEventListener("load", () => frame.replaceChildren(image));
  image.addEventListener("error", () => frame.dataset.gone = "yes");
}

function parts(board, line, look) {
  const box = board.querySelector('[data-field="parts"]');
  board.querySelector('[data-section="parts"]').hidden = !line.parts.length;
  const wanted = new Set(line.parts.map((one) => one.visit_id));
  for (const gone of [...board.tiles.keys()].filter((visit) => !wanted.has(visit))) {
    board.tiles.get(gone).remove();
    board.tiles.delete(gone);
  }
  for (const one of [...line.parts].reverse()) {
    let tile = board.tiles.get(one.visit_id);
    if (!tile) {
      tile = element("li", { class: "tile-part" }, element(look.stories ? "a" : "div", look.stories ? { href: `${look.stories}${encodeURIComponent(one.visit_id)}` } : {}, element("span", { class: "frame" }), element("b", {}), element("small", {})));
      board.tiles.set(one.visit_id, tile);
      box.prepend(tile);
    }
    tile.dataset.standing = one.standing;
    tile.querySelector("b").textContent = t(`line.standing.${one.standing}`);
    tile.querySelector("small").textContent = one.part_id ?? new Date(one.captured_ms).toLocaleTimeString();
    if (one.frame_id && tile.frame !== one.frame_id) {
      tile.frame = one.frame_id;
      picture(tile.querySelector(".frame"), `${look.frames}${encodeURIComponent(one.frame_id)}`, "");
    }
  }
}
