// Page → theme toggle, menu on phones, dialogs, CSRF for htmx, problems of requests told to people.
import { announce } from "./notices.js";
import { csrfToken } from "./requests.js";

const THEMES = ["system", "light", "dark"];

function chosenTheme() {
  return document.documentElement.dataset.theme ?? "system";
}

function useTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem("its-theme");
    else localStorage.setItem("its-theme", theme);
  } catch { /* storage is switched off: the choice lasts for this page */ }
  nameTheme();
  document.dispatchEvent(new CustomEvent("its:theme"));
}

function nameTheme() {
  for (const label of document.querySelectorAll("[data-theme-label]")) {
    label.textContent = `Theme: ${chosenTheme()}`;
  }
}

function toggleMenu(button, open) {
  button.setAttribute("aria-expanded", String(open));
  button.closest(".side").classList.toggle("side--open", open);
}

document.addEventListener("click", (event) => {
  const at = event.target instanceof Element ? event.target : null;
  if (!at) return;
  if (at.closest("[data-theme-toggle]")) {
    useTheme(THEMES[(THEMES.indexOf(chosenTheme()) + 1) % THEMES.length]);
  }
  const menu = at.closest("[data-menu]");
  if (menu) toggleMenu(menu, menu.getAttribute("aria-expanded") !== "true");
  const opener = at.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();
  const closer = at.closest("[data-closes]");
  if (closer) closer.closest("dialog")?.close();
  if (at instanceof HTMLDialogElement) at.close(); // a click beside it
});

document.addEventListener("keydown", (event) => {
  const menu = document.querySelector("[data-menu][aria-expanded=true]");
  if (event.key === "Escape" && menu) {
    toggleMenu(menu, false);
    menu.focus();
  }
});

// A field that changes the page at once: <select data-submits> or <input data-submits>.
document.addEventListener("change", (event) => {
  const field = event.target;
  if (field instanceof HTMLElement && field.matches("[data-submits]")) field.form?.requestSubmit();
});

// What was sent once is not sent twice.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent === "yes") event.preventDefault();
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, 4000);
});

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRF-Token"] = csrfToken();
});

document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  if (status === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  else announce(`That did not work: the coordinator answered ${status}.`, "bad");
});

document.addEventListener("htmx:sendError", () => {
  announce("The coordinator cannot be reached. What is shown may be old.", "bad");
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  document.dispatchEvent(new CustomEvent("its:theme"));
});

nameTheme();
