// One run: its state, what can be done to it, its tree and timeline, its failures, its logs.

import { act, events, path } from "./api.js";
import { runDetails } from "./details.js";
import { confirmed } from "./dialogs.js";
import { el, reconcile, set, text } from "./dom.js";
import { Graph } from "./graph.js";
import { Logs } from "./logs.js";
import { Tree } from "./tree.js";
import { duration, moment, podsOf, runState, tone } from "./words.js";

const VERBS = [
  { verb: "suspend", label: "Suspend", key: "s", fits: (run) => !run.finished && !run.waits },
  { verb: "resume", label: "Resume", key: "s", fits: (run) => !run.finished && run.waits },
  { verb: "retry", label: "Retry", key: "r", fits: (run) => ["Failed", "Error"].includes(run.phase) && run.finished },
  { verb: "resubmit", label: "Run again", fits: (run) => run.finished },
  { verb: "stop", label: "Stop", fits: (run) => !run.finished, ask: "Stop this run? Its exit handler still runs." },
  { verb: "terminate", label: "Terminate", key: "x", danger: true, fits: (run) => !run.finished, ask: "Terminate this run? Its pods are ended, and no exit handler runs." },
];

/** The view of one run. */
export class RunView {
  constructor(view, page, { namespace, name }) {
    this.page = page;
    this.about = { namespace, name };
    this.word = el("span", { class: "state" });
    this.title = el("h1", {}, name);
    this.facts = el("span", { class: "dim" });
    this.buttons = el("div", { class: "actions" });
    this.message = el("p", { class: "problem", hidden: true });
    this.parameters = el("dl", { class: "parameters" });
    this.details = el("details", { hidden: true }, el("summary", {}, "Parameters"), this.parameters);
    this.failures = el("ul", { class: "failures", hidden: true, "aria-label": "Failures" });
    this.logs = new Logs(this.about);
    this.tree = new Tree((task) => this.logs.open(task), (error) => page.notice(error.message));
    this.tree.onChange = () => this.draw();
    this.graph = new Graph(this.about, (place) => this.tree.reveal(place), (error) => page.notice(error.message));
    view.replaceChildren(el("div", { class: "run" },
      el("div", { class: "heading" }, this.word, this.title, this.facts, el("span", { class: "grow" }), this.graph.chooser, this.buttons),
      this.message, this.details, runDetails(this.about, page.problem), this.failures,
      el("div", { class: "panels" }, this.graph.element, this.tree.element), this.logs.element));
    this.source = events(`/page/events/${path(namespace, name)}`, `/page/runs/${path(namespace, name)}`, {
      onState: (found) => this.take(found),
      onGone: () => page.notice("This run was deleted.", true),
      onLive: page.live,
      onProblem: (error) => (error.status === 404 && !this.found ? this.absent(view) : page.problem(error)),
    });
    this.timer = setInterval(() => { if (this.found && !this.found.run.finished) this.draw(); }, 1000);
  }

  take(found) {
    this.found = found;
    this.skew = found.now - Date.now() / 1000;
    const { run } = found;
    this.page.crumbs(run);
    text(this.title, run.title || run.id);
    const word = runState(run);
    set(this.word, "class", `state ${tone(word)}`);
    text(this.word, word);
    document.title = `${word}: ${run.id}`;
    set(this.message, "hidden", !run.message);
    text(this.message, run.message);
    this.showButtons(run);
    this.showParameters(found.parameters);
    this.showFailures(found.failures);
    this.tree.take(found);
    this.graph.take(found);
    this.logs.refresh();
    this.draw();
  }

  /** There is no such run: nothing more is asked for. */
  absent(view) {
    this.stop();
    this.page.live(true);
    document.title = "No such run";
    view.replaceChildren(el("div", { class: "absent" },
      el("h1", {}, `There is no run ${this.about.name}`),
      el("p", { class: "dim" }, "It was deleted, or the name is wrong."),
      el("p", {}, el("a", { href: "#/" }, "All runs"))));
  }

  draw() {
    if (!this.found) return;
    const { run } = this.found;
    const now = Date.now() / 1000 + this.skew;
    text(this.facts, `${duration((run.finished ?? now) - run.started)} · started ${moment(run.started)} · ${podsOf(run)} pods`);
    this.tree.draw(now);
  }

  showButtons(run) {
    const fit = VERBS.filter((each) => each.fits(run)).map((each) => [each.verb, each]);
    reconcile(this.buttons, fit, (each) => el("button", {
      class: each.danger ? "danger" : "", "data-verb": each.verb,
      title: each.key ? `${each.label} (${each.key})` : each.label, onclick: () => this.act(each),
    }, each.label), () => {});
  }

  showParameters(parameters) {
    set(this.details, "hidden", parameters.length === 0);
    const all = parameters.map((each) => [each.name, each]);
    reconcile(this.parameters, all, () => el("div", {}, el("dt"), el("dd")), (row, each) => {
      text(row.firstChild, each.name);
      text(row.lastChild, each.value);
    });
  }

  showFailures(failures) {
    set(this.failures, "hidden", failures.length === 0);
    reconcile(this.failures, failures.map((task) => [task.id, task]), () => {
      const row = el("li", {}, el("button", { class: "quiet link", onclick: () => this.logs.open(row.task) }), el("span"));
      return row;
    }, (row, task) => {
      row.task = task;
      text(row.firstChild, task.label);
      text(row.lastChild, task.message);
    });
  }

  async act({ verb, label, ask }) {
    if (ask && !(await confirmed(ask, label))) return;
    try {
      const made = await act(this.about, verb);
      if (verb === "resubmit") location.hash = `#/runs/${path(made.metadata.namespace, made.metadata.name)}`;
    } catch (error) {
      this.page.notice(error.message);
    }
  }

  key(key) {
    if (key === "Escape") return this.logs.close();
    if (key === "f") { this.logs.follow(); return true; }
    if (key === "v") { this.graph.toggle(); return true; }
    if (this.logs.key(key)) return true;
    const verb = this.found && VERBS.find((each) => each.key === key && each.fits(this.found.run));
    if (!verb) return false;
    this.act(verb);
    return true;
  }

  stop() {
    clearInterval(this.timer);
    this.source.stop();
    this.tree.stop();
    this.logs.close();
  }
}
