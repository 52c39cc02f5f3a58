// Small helpers. Text from the server only ever becomes text, never markup.
export const byId = (id) => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "class") made.className = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// What a part is called, on every page: its serial (of a folder, its file), else line, station and number of the visit.
export const partName = ({ part_id: part, visit_id: visit }) => part || shortVisit(visit);

export function shortVisit(visitId) {
  const parts = visitId.split(".");
  return parts.length >= 4 ? `${parts[1]} · ${Number(parts[3])}` : visitId.slice(-18);
}
