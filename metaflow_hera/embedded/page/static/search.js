// What is looked for among the runs: words, a state, a time. It is kept in the address, after the place.

import { el } from "./dom.js";

const STATES = ["Running", "Pending", "Suspended", "Succeeded", "Failed"];
const TIMES = [["1", "the last hour"], ["24", "the last day"], ["168", "the last week"], ["720", "the last 30 days"]];
const NAMES = ["q", "state", "hours"];
const PAUSE = 250; // milliseconds after the last key

/** The place that the address names, and what is looked for there. */
export function address() {
  const [place, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { place, query: new URLSearchParams(query) };
}

/** The search box and its filters; `onChange()` is called when something else is looked for. */
export class Search {
  constructor(onChange) {
    const { query } = address();
    this.onChange = onChange;
    const given = (name) => query.get(name) ?? "";
    this.fields = {
      q: el("input", { type: "search", placeholder: "Search: run, flow, tag, alpha=0.5", "aria-label": "Search runs", title: "Search runs (/)", autocomplete: "off", spellcheck: "false", oninput: () => this.later() }),
      state: el("select", { "aria-label": "State", onchange: () => this.changed() },
        el("option", { value: "" }, "any state"), ...STATES.map((each) => el("option", {}, each))),
      hours: el("select", { "aria-label": "Time", onchange: () => this.changed() },
        el("option", { value: "" }, "any time"), ...TIMES.map(([value, words]) => el("option", { value }, words))),
    };
    for (const name of NAMES) this.fields[name].value = given(name);
    this.element = el("form", { class: "search", role: "search", onsubmit: (event) => { event.preventDefault(); this.changed(); } }, ...Object.values(this.fields));
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.changed(), PAUSE);
  }

  changed() {
    clearTimeout(this.timer);
    const query = new URLSearchParams(this.wanted()).toString();
    history.replaceState(null, "", `#/${address().place}${query ? `?${query}` : ""}`);
    this.onChange();
  }

  /** What is looked for, as [name, value]. */
  wanted() {
    return NAMES.map((name) => [name, this.fields[name].value.trim()]).filter(([, value]) => value);
  }

  focus() {
    this.fields.q.focus();
    this.fields.q.select();
  }

  stop() {
    clearTimeout(this.timer);
  }
}
