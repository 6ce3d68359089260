// What a task has stored: its artifacts and its cards, as its own program tells them.

import { results as loadResults } from "./api.js";
import { showCard } from "./cards.js";
import { command } from "./copying.js";
import { el } from "./dom.js";
import { bytes, count } from "./words.js";

/** The results of one task at a time. */
export class Results {
  constructor(run) {
    this.run = run;
    this.element = el("div", { class: "results", role: "tabpanel", "aria-label": "Results", tabindex: 0, hidden: true });
  }

  /** Show what a task has stored. What was asked before is not asked again, as long as it has not changed. */
  async open(task) {
    const key = `${task.id} ${task.phase} ${task.pods.at(-1)?.name}`;
    if (this.key === key) return;
    this.key = key;
    this.say("Reading what the task has stored…");
    try {
      const found = await loadResults(this.run, task.id);
      if (this.key === key) this.show(task, found);
    } catch (error) {
      if (this.key === key) this.say(error.message);
    }
  }

  /** Say why nothing is shown. To ask again starts a process: only when somebody wants it, or the task has changed. */
  say(words, again = null) {
    this.element.replaceChildren(el("p", { class: "dim", role: "status" }, words), again ? el("button", { onclick: again }, "Try again") : "");
  }

  show(task, found) {
    if (found.note) {
      this.say(found.note, () => { this.key = null; this.open(task); });
      return;
    }
    const more = found.more ? el("p", { class: "dim" }, `${count(found.more)} more artifacts: read them with the Client API.`) : null;
    this.element.replaceChildren(
      command("Read them in Python", `from metaflow import Task, namespace; namespace(None); task = Task("${found.pathspec}", attempt=${found.attempt ?? 0})`),
      this.cards(task, found),
      artifacts(found.artifacts), more ?? "");
  }

  cards(task, { cards, more_cards: more }) {
    const left = more ? el("span", { class: "dim" }, `${count(more)} more, or too large to be shown`) : null;
    if (!cards.length && !left) return "";
    return el("div", { class: "cards" }, el("span", { class: "dim" }, "Cards"),
      ...cards.map((card, number) => el("button", { onclick: () => showCard(this.run, task, card, number) },
        card.id ? `${card.id} (${card.type})` : card.type)), left);
  }
}

function artifacts(found) {
  if (!found.length) return el("p", { class: "dim" }, "It has stored no artifacts.");
  return el("table", { class: "artifacts" },
    el("thead", {}, el("tr", {}, ...["Artifact", "Type", "Size", "Value"].map((each) => el("th", { scope: "col" }, each)))),
    el("tbody", {}, ...found.map((each) => el("tr", {},
      el("th", { scope: "row" }, each.name), el("td", {}, each.type), el("td", { class: "number" }, bytes(each.size)),
      el("td", {}, each.value === null ? "" : el("code", {}, each.value), each.note ? el("small", { class: "dim" }, ` ${each.note}`) : null)))));
}
