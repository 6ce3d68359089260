// Commands to take along, each with a button that copies it.

import { el, text } from "./dom.js";

const SHOWN = 1500;

/** A button that copies `words()`; where the browser refuses, `choose()` lets the keys do it. */
export function copyButton(what, words, choose = () => {}) {
  const button = el("button", { type: "button", class: "quiet", "aria-label": `Copy ${what}`, onclick: copy }, "Copy");
  async function copy() {
    try {
      await navigator.clipboard.writeText(words());
      text(button, "Copied");
      setTimeout(() => text(button, "Copy"), SHOWN);
    } catch {
      choose();
    }
  }
  return button;
}

/** A command with what it is for. */
export function command(what, words) {
  const code = el("code", { tabindex: 0 }, words);
  return el("div", { class: "command" }, el("span", { class: "dim" }, what), code,
    copyButton(`the command: ${what}`, () => words, () => getSelection().selectAllChildren(code)));
}
