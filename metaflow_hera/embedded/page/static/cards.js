// A card of a task, in a frame with an origin that nothing else has: without cookies, and it can call nobody.
// The server says the same with the card itself (web/session.py).

import { cardAddress } from "./api.js";
import { show } from "./dialogs.js";
import { el } from "./dom.js";

/** Show a card. */
export function showCard(run, task, card, number) {
  const name = `Card ${card.id || card.type} of ${task.label}`;
  const frame = el("iframe", { sandbox: "allow-scripts", src: cardAddress(run, task.id, number), title: name, referrerpolicy: "no-referrer" });
  show(el("dialog", { class: "card", "aria-label": name },
    el("form", { method: "dialog", class: "heading" }, el("h2", {}, name), el("span", { class: "grow" }), el("button", {}, "Close")),
    frame));
}
