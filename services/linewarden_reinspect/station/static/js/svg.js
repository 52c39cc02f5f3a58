// Elements of drawings; like all text from the server, words in them only ever become text.
const NS = "http://www.w3.org/2000/svg";

export function draw(tag, attributes, text) {
  const made = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  if (text) made.textContent = text;
  return made;
}
