// Requests to the station. A refusal carries the server's word and its sentence for the person.
const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";

export const actor = meta("linewarden-actor");

export class Refused extends Error {
  constructor(status, word, message) {
    super(message);
    this.status = status;
    this.word = word;
  }
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
    throw new Refused(0, "offline", "The station does not answer. Nothing is recorded; it is tried again.");
  }
  if (response.status === 401) {
    location.assign("/sign-in");
    throw new Refused(401, "not_signed_in", "Please sign in.");
  }
  if (response.status === 204) return {};
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer.error ?? "error", answer.message ?? "The station refused this.");
  return answer;
}

export const get = (path) => call("GET", path);
export const post = (path, body = {}) => call("POST", path, body);
