// All words of the pages, in the language of the person; the server puts the catalogue into the page.
const TEXTS = JSON.parse(document.getElementById("texts")?.textContent ?? "{}");

export const has = (key) => key in TEXTS;

// The text of a key, with {names} filled in. A missing one is shown as its key and told to the console.
export function t(key, values = {}) {
  if (!has(key)) {
    console.error(`no text ${key}`);
    return key;
  }
  return TEXTS[key].replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

document.addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-language]");
  if (!chosen) return;
  document.cookie = `linewarden-language=${chosen.dataset.language}; path=/; max-age=31536000; samesite=strict`;
  location.reload();
});
