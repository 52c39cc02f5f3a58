// Runs before the first paint, so that the chosen theme does not flash.
(() => {
  const root = document.documentElement;
  const stored = localStorage.getItem("linewarden-theme");
  if (stored === "bright" || stored === "dark") root.dataset.theme = stored;
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#theme")) return;
    root.dataset.theme = root.dataset.theme === "dark" ? "bright" : "dark";
    localStorage.setItem("linewarden-theme", root.dataset.theme);
  });
})();
