// The visit after this one: taken and its pictures fetched while this one is looked at, to be on the screen at once.
import { post } from "./api.js";

const AGAIN_MS = 5000;

export class Ahead {
  constructor(makeTile, onChange) {
    Object.assign(this, { makeTile, onChange, visit: null, tiles: [], asking: false, askedMs: -Infinity });
  }

  // Whether the next visit's pictures are decoded and only wait for their place on the screen.
  get isHere() { return this.visit !== null && this.tiles.every((tile) => tile.isHere); }

  async fetch() {
    if (this.visit || this.asking || performance.now() - this.askedMs < AGAIN_MS) return;
    this.asking = true;
    this.askedMs = performance.now();
    try {
      const { visit } = await post("/api/ahead");
      if (!visit) { this.later(); return; }
      this.visit = visit;
      this.tiles = visit.frames.map((frame) => this.makeTile(frame));
      await Promise.allSettled(this.tiles.map((tile) => tile.fetch()));
      this.onChange();
    } catch {
      this.drop(); // the next visit is then fetched when its turn comes, or a little later
      this.later();
    } finally {
      this.asking = false;
    }
  }

  // Nothing else may happen on the page for a long while: it looks again by itself.
  later() { setTimeout(() => this.onChange(), AGAIN_MS); }

  take() {
    const taken = { visit: this.visit, tiles: this.tiles };
    this.drop();
    this.askedMs = -Infinity;
    return taken;
  }

  drop() {
    this.visit = null;
    this.tiles = [];
  }

  // The station says which visit it holds for us; another one than ours is none of ours.
  check(slotId) {
    if (!this.visit || this.visit.slot_id === slotId) return;
    this.drop();
    this.later();
  }
}
