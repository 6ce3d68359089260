// The events that came lately, and the runs that each started.

import { events, path } from "./api.js";
import { el, reconcile, set, text } from "./dom.js";
import { moment } from "./words.js";

/** The view of the events. */
export class Received {
  constructor(view, page) {
    this.rows = el("tbody", { "data-list": "" });
    this.empty = el("p", { class: "dim empty", hidden: true }, "No event has come yet. Publish one with: mfhera emit NAME");
    view.replaceChildren(el("section", { class: "received", "aria-label": "Events" },
      el("div", { class: "heading" }, el("h1", {}, "Events received")),
      el("table", { class: "events" },
        el("thead", {}, el("tr", {}, ...["Came", "Event", "Runs it started"].map((each) => el("th", { scope: "col" }, each)))), this.rows),
      this.empty));
    this.source = events("/page/events/received", "/page/received", {
      onState: (found) => this.take(found), onGone() {}, onLive: page.live, onProblem: page.problem,
    });
    document.title = "Events: Embedded Argo";
  }

  take({ events: found }) {
    set(this.empty, "hidden", found.length > 0);
    reconcile(this.rows, found.map((each) => [each.number, each]), makeRow, () => {});
  }

  key() {
    return false;
  }

  stop() {
    this.source.stop();
  }
}

function makeRow({ at, name, body, taken, started }) {
  const runs = started.map((each) => {
    const [namespace, run] = each.split("/");
    return el("a", { href: `#/runs/${path(namespace, run)}` }, run);
  });
  const none = el("span", { class: "dim" }, taken ? "none yet: it waits for other events" : "no deployment waits for it");
  const more = el("details", {}, el("summary", { "data-row": "" }, name || "(no name)"), el("code", {}));
  text(more.lastChild, body);
  return el("tr", {}, el("td", { class: "dim" }, moment(at)), el("td", {}, more), el("td", {}, ...(runs.length ? runs : [none])));
}
