// Tells a scanner from fingers: it types faster than anybody can. A key waits a moment until it is clear which it is,
// so that a serial that is scanned while nothing has the focus is read, and its letters judge no part.
const GAP_MS = 30;
const LEAST_SCANNED = 3;
const LEAST_ENDED = 2;
const SILENT = ["Shift", "CapsLock", "AltGraph"];

export class Burst {
  // onKey(event): one pressed key. onScan(code, isWhole): what was scanned; not whole where no Enter came.
  constructor(onKey, onScan) {
    Object.assign(this, { onKey, onScan, held: [], timer: null });
  }

  // Whether the key is held back; if not, those before it are done with and it is the page's.
  holds(event) {
    if (SILENT.includes(event.key)) return true;
    if (event.key === "Enter" && this.held.length >= LEAST_ENDED) {
      event.preventDefault();
      this.end(true);
      return true;
    }
    if (event.key.length !== 1 || event.key === " " || event.repeat) {
      this.end(false);
      return false;
    }
    event.preventDefault();
    this.held.push(event);
    document.documentElement.toggleAttribute("data-keys-held", true);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.end(false), GAP_MS);
    return true;
  }

  end(isWhole) {
    const held = this.held.splice(0);
    document.documentElement.removeAttribute("data-keys-held");
    clearTimeout(this.timer);
    if (isWhole || held.length >= LEAST_SCANNED) this.onScan(held.map((event) => event.key).join(""), isWhole);
    else held.forEach((event) => this.onKey(event));
  }
}
