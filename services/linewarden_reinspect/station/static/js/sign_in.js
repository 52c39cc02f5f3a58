// A link's secret stands behind `#`, with the roles to choose from: it goes into the form, out of the address, and
// stays for this tab's retries until it is spent. A link that also names its person (`=Name`) signs in by itself, once.
import { byId, element } from "./dom.js";
import { t } from "./texts.js";

const KEY = "linewarden-link";
if (location.hash.length > 1) {
  sessionStorage.setItem(KEY, decodeURIComponent(location.hash.slice(1)));
  history.replaceState(null, "", location.pathname);
}
// Another link opened in the same tab changes what stands behind `#` alone: the page begins anew with it. Not by a
// reload, which would send the form again.
window.addEventListener("hashchange", () => location.replace(`/sign-in?link=another${location.hash}`));
if ("spent" in byId("form").dataset) sessionStorage.removeItem(KEY);
const [link, ...parts] = (sessionStorage.getItem(KEY) ?? "").split("~");
const words = parts.filter((part) => !part.startsWith("="));
const named = parts.find((part) => part.startsWith("="))?.slice(1) ?? "";
const roles = words[0] === "all" ? ["operator", "lead", "quality", "engineer", "auditor", "admin"] : words;
if (link) {
  byId("link").value = link;
  byId("password-row").hidden = byId("password").disabled = true;
  byId("role-row").hidden = roles.length < 2;
  byId("role").disabled = roles.length === 0;
  byId("role").replaceChildren(...roles.map((role) => element("option", { value: role }, t(`role.${role}.short`))));
}
byId("name").value = named || (localStorage.getItem("linewarden-name") ?? "");
byId("form").addEventListener("submit", () => localStorage.setItem("linewarden-name", byId("name").value));
if (link && named && !document.querySelector(".problem")) {
  // Whoever comes back to this page, or signs out, chooses for themselves.
  sessionStorage.setItem(KEY, [link, ...words].join("~"));
  byId("form").requestSubmit();
}
