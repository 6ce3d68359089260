// The versions of a deployment, and what changed between two of them.

import { changes, versions } from "./api.js";
import { show } from "./dialogs.js";
import { el, text } from "./dom.js";
import { moment } from "./words.js";

const TONES = { "+": "added", "-": "removed", "@": "place" };

/** What a version is called: the number that `mfhera` gave to it, or when it was deployed. */
const nameOf = (each) => (each.version ? `Version ${each.version}` : `Deployed ${moment(each.at)}`);

const about = (each, live) => [each.version ? moment(each.at) : "", each.by ? `by ${each.by}` : "", live ? "live" : ""].filter(Boolean).join(" · ");

/** Show the versions of a deployment, and the difference between two. */
export async function showVersions(deployment) {
  const found = await versions(deployment);
  let asked = 0;
  const problem = el("p", { class: "problem", role: "alert" });
  const lines = el("div", { class: "difference", tabindex: "0", role: "region", "aria-label": "What changed" });
  const from = choice("From", found, found[1] ?? found[0]);
  const to = choice("To", found, found[0]);
  for (const each of [from, to]) each.select.addEventListener("change", compare);
  const dialog = show(el("dialog", { class: "versions", "aria-label": "Versions" },
    el("h2", {}, `Versions of ${deployment.title || deployment.name}`),
    el("ol", { class: "list", reversed: true }, ...found.map((each, at) => el("li", {}, el("b", {}, nameOf(each)), el("small", { class: "dim" }, about(each, at === 0))))),
    found.length > 1 ? el("div", { class: "between" }, from.label, to.label) : el("p", { class: "dim" }, "What changes with a new version is shown here once there is one."),
    problem, found.length > 1 ? lines : null,
    el("form", { method: "dialog", class: "actions" }, el("button", {}, "Close"))));
  if (found.length > 1) await compare();
  return dialog;

  async function compare() {
    const mine = (asked += 1);
    try {
      const told = await changes(deployment, from.select.value, to.select.value);
      if (mine !== asked) return; // an answer that is late is for what was chosen before
      text(problem, "");
      lines.replaceChildren(...(told.length ? told.map(line) : [el("div", { class: "dim" }, "Nothing differs in the manifest.")]));
    } catch (error) {
      if (mine !== asked) return;
      lines.replaceChildren();
      text(problem, error.message);
    }
  }
}

function choice(label, found, chosen) {
  const select = el("select", {}, ...found.map((each) => el("option", { value: each.revision, selected: each === chosen }, nameOf(each))));
  return { select, label: el("label", {}, label, " ", select) };
}

const line = (words) => el("div", { class: TONES[words[0]] ?? null }, words);
