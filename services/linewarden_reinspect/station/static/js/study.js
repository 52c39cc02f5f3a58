// A study: one plain picture after the other, each judged once; between two rounds a break is offered.
import { get, post } from "./api.js";
import { follow } from "./bar.js";
import { byId } from "./dom.js";
import { labelKeys, listen } from "./keys.js";
import { openKeys } from "./keys_dialog.js";
import { cover } from "./tell.js";
import { t } from "./texts.js";
import { Tile } from "./tile.js";

const PAN = 60;
let coming = null; // the presentation on the screen, or the one behind the break
let tile = null;

function state(name) {
  byId("study").dataset.state = name;
  for (const button of document.querySelectorAll("[data-judge]")) button.disabled = name !== "ready";
}

function problem(text) { byId("problem").textContent = text; }

function end(title, text) {
  state("done");
  tile = null;
  byId("tiles").replaceChildren();
  byId("progress").textContent = title;
  cover(title, text, "study.look");
}

function told({ sheets, next }) {
  coming = next;
  if (next === null) {
    if (sheets === 0) end(t("study.none"), t("study.none_text"));
    else end(t("study.done"), t("study.done_text"));
    return;
  }
  byId("progress").textContent = t("study.place", { number: next.done + 1, of: next.of, round: next.round, rounds: next.rounds });
  byId("done").max = next.of;
  byId("done").value = next.done;
  if (next.done === 0 && next.round > 1) {
    state("break");
    cover(t("study.break", { round: next.round - 1 }), t("study.break_text"), "study.go_on");
  } else show();
}

async function show() {
  state("loading");
  byId("cover").hidden = true;
  const { study, round, token } = coming;
  tile = new Tile({ frame_id: token, view_id: token, source: `/api/study/picture?${new URLSearchParams({ study, round, token })}` }, () => undefined);
  byId("tiles").replaceChildren(tile.root);
  try {
    await tile.load();
    state("ready");
  } catch {
    tile.say(t("study.no_picture"));
  }
}

async function judge(answer) {
  if (byId("study").dataset.state !== "ready") return;
  state("sending");
  problem("");
  const { study, round, token } = coming;
  try {
    told(await post("/api/study/answers", { study, round, token, answer }));
  } catch (refused) {
    problem(refused.message);
    if (refused.passes) state("ready");
    else await look();
  }
}

async function look() {
  try {
    told(await get("/api/study"));
  } catch (refused) {
    end(t("study.away"), refused.message);
  }
}

function go() {
  if (byId("cover").hidden) return;
  problem("");
  if (byId("study").dataset.state === "break") show();
  else look();
}

const acts = {
  accept: () => judge("OK"), reject: () => judge("NG"), unsure: () => judge("UNSURE"), go, help: openKeys,
  closer: () => tile?.zoom("in"), farther: () => tile?.zoom("out"), fit: () => tile?.zoom("fit"), one: () => tile?.zoom("one"),
  pan_left: () => tile?.move(PAN, 0), pan_right: () => tile?.move(-PAN, 0), pan_up: () => tile?.move(0, PAN), pan_down: () => tile?.move(0, -PAN),
};
listen(acts, () => undefined); // a scanner's code is no answer
labelKeys();
for (const button of document.querySelectorAll("[data-judge]")) button.addEventListener("click", () => judge(button.dataset.judge));
byId("cover-next").addEventListener("click", go);
byId("help").addEventListener("click", openKeys);
follow(() => undefined);
look();
