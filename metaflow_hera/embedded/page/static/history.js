// How a deployment has done: the durations of its last runs, and when it starts next.

import { path } from "./api.js";
import { el, reconcile, set, svg, text } from "./dom.js";
import { count, duration, moment, runState, tone } from "./words.js";

const MOST = 50;
const SLOT = 10;
const HEIGHT = 40;

/** The durations and the schedules of a deployment. */
export class History {
  constructor() {
    this.chart = svg("svg", { viewBox: `0 0 ${MOST * SLOT} ${HEIGHT}`, preserveAspectRatio: "none", role: "group" });
    this.words = el("small", { class: "dim" });
    this.figure = el("figure", { class: "durations", hidden: true }, this.chart, el("figcaption", {}, this.words));
    this.schedules = el("ul", { class: "schedules", "aria-label": "Schedules" });
    this.element = el("div", { class: "history", hidden: true }, this.figure, this.schedules);
  }

  /** Take the runs that are listed, the latest first, and the schedules. */
  take(runs, schedules, now) {
    set(this.element, "hidden", null);
    const last = runs.slice(0, MOST).filter((run) => run.started);
    const times = last.map((run) => (run.finished ?? now) - run.started);
    const longest = Math.max(1, ...times);
    set(this.figure, "hidden", !last.length);
    text(this.words, `The last ${count(last.length)} runs, the latest at the right; the longest took ${duration(Math.max(0, ...times))}`);
    set(this.chart, "aria-label", this.words.textContent);
    const bars = last.map((run, index) => [run.uid, { run, index, height: Math.max(1.5, (times[index] / longest) * HEIGHT), took: times[index] }]);
    reconcile(this.chart, bars, makeBar, showBar);
    reconcile(this.schedules, schedules.map((each) => [each.name, each]), () => el("li"), (row, each) => text(row, schedule(each)));
  }
}

/** The bars lead to their runs; by keyboard the list does. */
function makeBar({ run }) {
  const link = svg("a", { href: `#/runs/${path(run.namespace, run.name)}`, tabindex: -1 });
  link.append(svg("title"), svg("rect", { width: SLOT - 2 }));
  return link;
}

function showBar(link, { run, index, height, took }) {
  const [title, rect] = link.children;
  text(title, `${run.id}: ${runState(run)}, ${duration(took)}, ${moment(run.started)}`);
  set(rect, "x", (MOST - 1 - index) * SLOT + 1);
  set(rect, "y", (HEIGHT - height).toFixed(1));
  set(rect, "height", height.toFixed(1));
  set(rect, "class", `fill ${tone(runState(run))}`);
}

function schedule({ expressions, zone, suspended, starts }) {
  const next = starts.map((at) => moment(at)).join(", ");
  const when = suspended ? "suspended" : next ? `next starts: ${next} (your time)` : "it never starts";
  return `Schedule ${expressions.join(" and ")} in ${zone || "this machine's zone"} · ${when}`;
}
