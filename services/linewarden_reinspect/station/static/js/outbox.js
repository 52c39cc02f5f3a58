// Decisions on their way: kept on this computer until the station confirms them, sent again by themselves.
// The station knows a decision by slot, person and token, so that sending it twice is one decision.
import { actor, post } from "./api.js";

const KEY = "linewarden-outbox";
const AGAIN_MS = 2000;

const stored = () => JSON.parse(localStorage.getItem(KEY) ?? "[]");

export class Outbox {
  // onWait(entry or null): what waits. onSent(entry, answer), onRefused(entry, refused): how it ended.
  constructor({ onWait, onSent, onRefused }) {
    Object.assign(this, { onWait, onSent, onRefused, sending: false, inMemory: [] });
    window.addEventListener("online", () => this.flush());
  }

  entries() {
    const known = stored().filter((entry) => entry.actor === actor);
    return [...known, ...this.inMemory];
  }

  // Keeps the decision; it goes out with the next flush.
  keep(entry) {
    const full = { ...entry, actor };
    try {
      localStorage.setItem(KEY, JSON.stringify([...stored(), full]));
    } catch {
      this.inMemory.push(full); // the store is full or forbidden: it is kept as long as the page is open
    }
  }

  drop(entry) {
    localStorage.setItem(KEY, JSON.stringify(stored().filter((one) => one.body.token !== entry.body.token)));
    this.inMemory = this.inMemory.filter((one) => one.body.token !== entry.body.token);
  }

  // Sends what waits, in order, until nothing does.
  async flush() {
    if (this.sending) return;
    this.sending = true;
    try {
      for (let [entry] = this.entries(); entry; [entry] = this.entries()) await this.send(entry);
    } finally {
      this.sending = false;
    }
  }

  async send(entry) {
    try {
      const answer = await post(`/api/slots/${entry.slot_id}/decision`, entry.body);
      this.drop(entry);
      this.onWait(null);
      await this.onSent(entry, answer);
    } catch (refused) {
      if (refused.status === 401) throw refused; // it stays here, and goes out after the next sign-in
      if (refused.passes) {
        this.onWait(entry, refused);
        await new Promise((done) => setTimeout(done, AGAIN_MS));
        return;
      }
      this.drop(entry);
      this.onWait(null);
      await this.onRefused(entry, refused);
    }
  }
}
