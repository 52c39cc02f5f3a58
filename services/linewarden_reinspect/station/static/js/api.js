// Requests to the station. A refusal carries the server's word, and a sentence in the person's language.
import { learnClock } from "./clock.js";
import { has, t } from "./texts.js";

const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";

export const actor = meta("linewarden-actor");

export class Refused extends Error {
  constructor(status, word, message, details = {}) {
    super(has(`error.${word}`) ? t(`error.${word}`) : message);
    this.status = status;
    this.word = word;
    this.details = details;
    this.told = message; // the server's own sentence, where the word's text speaks of an operator's visit
  }

  // Whether the same request may succeed later as it is.
  get passes() { return this.status === 0 || this.status >= 500; }
}

async function call(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", "X-Linewarden-Token": meta("linewarden-token") },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refused(0, "offline", "");
  }
  if (response.status === 401) {
    location.assign(`/sign-in?why=over&to=${encodeURIComponent(location.pathname)}`);
    throw new Refused(401, "not_signed_in", "");
  }
  if (response.status === 204) return {};
  const answer = await response.json().catch(() => ({}));
  if (answer.visit) learnClock(answer.visit.now_ms);
  if (!response.ok) throw new Refused(response.status, answer.error ?? "error", answer.message ?? t("error.error"), answer.details);
  return answer;
}

export const get = (path) => call("GET", path);
export const post = (path, body = {}) => call("POST", path, body);
