// What else there is to know about a run: asked for when it is opened.

import { details as loadDetails, manifest as loadManifest } from "./api.js";
import { command, copyButton } from "./copying.js";
import { show } from "./dialogs.js";
import { el } from "./dom.js";

/** The details of a run, closed at first. */
export function runDetails(run, onProblem) {
  const inside = el("div", { class: "about" });
  return el("details", { class: "more", ontoggle: open }, el("summary", {}, "Details and commands"), inside);

  async function open() {
    if (!this.open || inside.childElementCount) return;
    try {
      const { facts, commands } = await loadDetails(run);
      inside.replaceChildren(
        el("dl", { class: "parameters" }, ...facts.map(({ name, value }) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
        ...commands.map(({ what, text }) => command(what, text)),
        el("div", {}, el("button", { onclick: () => showManifest(run).catch(onProblem) }, "Manifest")));
    } catch (error) {
      onProblem(error);
    }
  }
}

async function showManifest(run) {
  const words = await loadManifest(run);
  show(el("dialog", { class: "manifest", "aria-label": "Manifest" },
    el("form", { method: "dialog", class: "heading" }, el("h2", {}, `Manifest of ${run.name}`), el("span", { class: "grow" }),
      copyButton("the manifest", () => words), el("button", {}, "Close")),
    el("pre", { tabindex: 0 }, words)));
}
