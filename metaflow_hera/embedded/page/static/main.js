// The frame of the page: which view is shown, the keys, notices.

import { path } from "./api.js";
import { help } from "./dialogs.js";
import { el, set, text } from "./dom.js";
import { Overview } from "./overview.js";
import { Received } from "./received.js";
import { RunView } from "./run.js";
import { address } from "./search.js";
import { start as startTheme } from "./theme.js";
import { moment } from "./words.js";

const view = document.getElementById("view");
const notices = document.getElementById("notices");
const live = document.getElementById("live");
const gone = document.getElementById("gone");
const crumbs = document.getElementById("crumbs");
const NOTICE = 8000;
let shown = null;

const page = {
  /** Show a notice, for a while or until it is closed. */
  notice(words, stays = false) {
    const row = el("div", { class: "notice" }, words, el("button", { class: "quiet", "aria-label": "Close", onclick: () => row.remove() }, "×"));
    notices.replaceChildren(row);
    if (!stays) setTimeout(() => row.remove(), NOTICE);
  },
  problem: (error) => page.notice(error.message, true),
  /** Whether the server tells what changes: if not, what is shown is old. */
  live(yes, refused = false) {
    set(live, "class", yes ? "live on" : "live off");
    text(live, yes ? "Live" : "Not connected");
    const away = !yes && !refused;
    if (away && gone.hidden) text(gone, `The embedded Argo has not answered since ${moment(Date.now() / 1000)}: this page shows the state at that time. Start it with: mfhera local start`);
    set(gone, "hidden", !away);
  },
  crumbs(run) {
    const parts = [];
    if (run?.template) parts.push(el("a", { href: `#/deployments/${path(run.namespace, run.template)}` }, run.template));
    if (run?.name) parts.push(el("span", {}, run.id ?? run.name));
    if (crumbs.textContent !== parts.map((part) => part.textContent).join("")) crumbs.replaceChildren(...parts);
  },
};

/** Show what the address names: all, a deployment, a run, the events. */
function route() {
  const [kind, namespace, name] = address().place.split("/").map(decodeURIComponent);
  shown?.stop();
  set(gone, "hidden", true);
  document.querySelector("dialog[open]")?.close();
  notices.replaceChildren();
  if (kind === "runs" && name) {
    page.crumbs({ name });
    shown = new RunView(view, page, { namespace, name });
  } else if (kind === "events") {
    page.crumbs({ name: "Events" });
    shown = new Received(view, page);
  } else {
    const chosen = kind === "deployments" && name ? { namespace, name } : null;
    page.crumbs(chosen && { namespace, template: name });
    shown = new Overview(view, page, chosen);
  }
}

/** Move among the rows of a list with the arrow keys. */
function move(by) {
  const here = document.activeElement;
  const list = here?.closest("[data-list]") ?? document.querySelector("tbody[data-list]") ?? document.querySelector("[role=tree]");
  if (!list) return;
  const rows = [...list.querySelectorAll("[data-row], [role=treeitem]")];
  const at = rows.indexOf(here);
  const next = at < 0 ? rows[0] : rows[at + by];
  next?.focus();
}

const KEYS = {
  "?": help,
  g: () => { location.hash = "#/"; },
  t: () => document.getElementById("theme").click(),
  ArrowDown: () => move(1), j: () => move(1), ArrowUp: () => move(-1), k: () => move(-1),
};

function keydown(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("dialog")) return;
  const typing = event.target.closest("textarea, select, input:not([type=checkbox])");
  const scrolling = event.key.startsWith("Arrow") && event.target.closest(".lines");
  if (scrolling || (typing && event.key !== "Escape")) return;
  if (shown?.key(event.key)) event.preventDefault();
  else if (KEYS[event.key]) { event.preventDefault(); KEYS[event.key](); }
}

startTheme(document.getElementById("theme"));
document.getElementById("help").addEventListener("click", help);
addEventListener("hashchange", route);
addEventListener("keydown", keydown);
route();
