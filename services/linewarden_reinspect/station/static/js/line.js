// The line as it runs, on its page and on the wall: one board a line, filled by the stream and never by a request.
import { board, show } from "./line_board.js";
import { byId } from "./dom.js";
import { t } from "./texts.js";

const root = byId("boards");
const SILENT_MS = 5000; // the stream says something every second while there is a line
const boards = new Map();
let skew = 0;
let heardMs = Date.now();
let told = null;

function take(news) {
  told = news;
  skew = news.now_ms - Date.now();
  heardMs = Date.now();
  byId("first-look").hidden = news.lines.length > 0;
  if (!news.lines.length) byId("first-look").textContent = t("line.none");
  for (const line of news.lines) {
    if (!boards.has(line.line_id)) {
      boards.set(line.line_id, board(line.line_id));
      root.append(boards.get(line.line_id));
    }
  }
  draw();
}

// What is not current says as of when: the station may be away, or may itself not hear the line.
function draw() {
  const silent = Date.now() - heardMs > SILENT_MS;
  const current = told !== null && told.current && !silent;
  const asOf = byId("as-of");
  asOf.hidden = current || told === null;
  if (!asOf.hidden) {
    const time = new Date(told.as_of_ms).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" });
    const text = told.as_of_ms ? t(silent ? "line.as_of_away" : "line.as_of", { time }) : t("line.as_of_never");
    if (asOf.textContent !== text) asOf.textContent = text;
  }
  for (const line of told?.lines ?? []) {
    show(boards.get(line.line_id), current ? line : { ...line, level: "unknown" }, { now: Date.now() + skew, frames: root.dataset.frames, stories: root.dataset.stories });
  }
}

function follow() {
  const source = new EventSource(root.dataset.feed);
  source.addEventListener("line", (event) => take(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.CLOSED) return; // it comes back by itself
    source.close();
    setTimeout(follow, 3000);
  });
}

follow();
setInterval(draw, 1000);
