// Commands to take along, each with a button that copies it.

import { el, text } from "./dom.js";

const SHOWN = 1500;

/** A command with what it is for. */
export function command(what, words) {
  const code = el("code", {}, words);
  const button = el("button", { class: "quiet", "aria-label": `Copy: ${what}`, onclick: copy }, "Copy");
  async function copy() {
    try {
      await navigator.clipboard.writeText(words);
      text(button, "Copied");
      setTimeout(() => text(button, "Copy"), SHOWN);
    } catch { // the browser does not allow it: it is chosen, to be copied by keys
      getSelection().selectAllChildren(code);
    }
  }
  return el("div", { class: "command" }, el("span", { class: "dim" }, what), code, button);
}
