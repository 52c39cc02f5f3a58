// The link's secret stands behind `#`: it goes into the form, out of the address, and stays for this tab's retries.
import { byId } from "./dom.js";

const KEY = "linewarden-link";
if (location.hash.length > 1) {
  sessionStorage.setItem(KEY, decodeURIComponent(location.hash.slice(1)));
  history.replaceState(null, "", location.pathname);
}
const link = sessionStorage.getItem(KEY) ?? "";
byId("link").value = link;
const refused = document.querySelector(".problem:not(#no-link)") !== null;
if (!link || refused) {
  byId("link-row").hidden = false;
  byId("no-link").hidden = refused;
}
byId("name").value = localStorage.getItem("linewarden-name") ?? "";
document.querySelector("form").addEventListener("submit", () => localStorage.setItem("linewarden-name", byId("name").value));
