// Fingers, pen, mouse and wheel on a view: move, pinch, draw.
export function listen(tile, onActive) {
  const fingers = new Map();
  const at = (event) => {
    const box = tile.root.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const spread = () => {
    const [[ax, ay], [bx, by]] = [...fingers.values()];
    return { apart: Math.hypot(ax - bx, ay - by), x: (ax + bx) / 2, y: (ay + by) / 2 };
  };

  function down(event) {
    onActive(tile);
    tile.root.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    if (fingers.size === 1 && tile.pen) tile.startStroke(...at(event));
    else if (fingers.size === 2) tile.dropStroke();
    tile.root.classList.add("dragging");
  }

  function move(event) {
    if (!fingers.has(event.pointerId)) return;
    const before = fingers.get(event.pointerId);
    if (fingers.size === 2) {
      const old = spread();
      fingers.set(event.pointerId, at(event));
      const now = spread();
      tile.zoomTo(tile.zoomNow * (now.apart / Math.max(1, old.apart)), now.x, now.y);
      tile.move(now.x - old.x, now.y - old.y);
      return;
    }
    fingers.set(event.pointerId, at(event));
    const [x, y] = at(event);
    if (tile.stroking) tile.stroke(x, y);
    else tile.move(x - before[0], y - before[1]);
  }

  function up(event) {
    fingers.delete(event.pointerId);
    tile.stroking = false;
    if (fingers.size === 0) tile.root.classList.remove("dragging");
  }

  tile.root.addEventListener("pointerdown", down);
  tile.root.addEventListener("pointermove", move);
  tile.root.addEventListener("pointerup", up);
  tile.root.addEventListener("pointercancel", up);
  tile.root.addEventListener("wheel", (event) => {
    event.preventDefault();
    onActive(tile);
    tile.zoomTo(tile.zoomNow * (event.deltaY < 0 ? 1.2 : 1 / 1.2), ...at(event));
  }, { passive: false });
  tile.root.addEventListener("dblclick", () => { if (!tile.pen) tile.zoom(tile.scale === null ? "one" : "fit"); });
}
