// Light or dark: as the system is set, until the user chooses otherwise.

import { text } from "./dom.js";

const KEY = "theme";
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");

const current = () => root.dataset.theme ?? (system.matches ? "dark" : "light");

/** Apply what was chosen, and let a button change it. */
export function start(button) {
  const chosen = localStorage.getItem(KEY);
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  const name = () => text(button, current() === "dark" ? "Light" : "Dark");
  system.addEventListener("change", name);
  button.addEventListener("click", () => { toggle(); name(); });
  name();
}

function toggle() {
  root.dataset.theme = current() === "dark" ? "light" : "dark";
  localStorage.setItem(KEY, root.dataset.theme);
}
