// The secret of the set-up link stands behind `#`: it goes into the form and out of the address.
import { byId } from "./dom.js";

const KEY = "linewarden-set-up";
if (location.hash.length > 1) {
  sessionStorage.setItem(KEY, decodeURIComponent(location.hash.slice(1)));
  history.replaceState(null, "", location.pathname);
}
byId("link").value = sessionStorage.getItem(KEY) ?? "";
byId("no-link").hidden = byId("link").value !== "";
