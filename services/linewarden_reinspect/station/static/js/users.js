// The page of people. Leads say who has learnt what; administrators also who may sign in, and as what.
import { get, post } from "./api.js";
import { follow } from "./bar.js";
import { byId, element } from "./dom.js";
import { t } from "./texts.js";

const mayAll = byId("users").hasAttribute("data-all");
const roles = [...document.querySelectorAll("#add option")].map((option) => option.value);

async function attempt(act) {
  byId("problem").hidden = true;
  try {
    await act();
  } catch (error) {
    byId("problem").textContent = error.told || error.message;
    byId("problem").hidden = false;
  }
  await load();
}

function skillsOf(user, path) {
  const field = element("input", { value: user.skills.join(" "), maxlength: 1000, placeholder: t("users.none"), spellcheck: "false", "aria-label": t("users.skills_of", user) });
  field.addEventListener("change", () => attempt(() => post(`${path}/skills`, { skills: field.value.split(/[\s,]+/).filter(Boolean) })));
  return field;
}

function row(user) {
  const path = `/api/users/${encodeURIComponent(user.name)}`;
  const cells = mayAll ? allOf(user, path) : [user.name, t(`role.${user.role}.short`), skillsOf(user, path), user.disabled ? t("users.no") : t("users.yes")];
  return element("tr", {}, ...cells.map((cell) => element("td", {}, cell)));
}

function allOf(user, path) {
  const role = element("select", { "aria-label": t("users.role_of", user) }, ...roles.map((one) => element("option", { value: one, selected: one === user.role }, t(`role.${one}.short`))));
  role.addEventListener("change", () => attempt(() => post(`${path}/role`, { role: role.value })));
  const toggle = element("button", { type: "button" }, user.disabled ? t("users.let_in") : t("users.disable"));
  toggle.addEventListener("click", () => attempt(() => post(`${path}/disabled`, { disabled: !user.disabled })));
  const password = element("input", { type: "password", minlength: 10, maxlength: 256, autocomplete: "new-password", "aria-label": t("users.password_of", user) });
  password.addEventListener("change", () => attempt(() => post(`${path}/password`, { password: password.value })));
  return [user.name, role, skillsOf(user, path), toggle, password];
}

async function load() {
  const { users } = await get("/api/users");
  byId("users").replaceChildren(...users.map(row));
}

byId("add")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  attempt(async () => {
    await post("/api/users", Object.fromEntries(new FormData(form)));
    form.reset();
  });
});
follow(() => undefined);
attempt(async () => undefined);
