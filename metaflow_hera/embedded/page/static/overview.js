// Deployments and runs.

import { events, path } from "./api.js";
import { startForm } from "./dialogs.js";
import { el, reconcile, set, text } from "./dom.js";
import { History } from "./history.js";
import { Search } from "./search.js";
import { showVersions } from "./versions.js";
import { duration, moment, podsOf, runState, tone } from "./words.js";

const sameDeployment = (one, other) => one && other && one.namespace === other.namespace && one.name === other.name;

/** The view of all deployments, with the runs of all or of `chosen`. */
export class Overview {
  constructor(view, page, chosen) {
    this.page = page;
    this.chosen = chosen;
    this.deployments = el("ul", { class: "deployments", "data-list": "" });
    this.runs = el("tbody", { "data-list": "" });
    this.title = el("h1", {}, chosen ? `Runs of ${chosen.name}` : "Runs");
    this.start = el("button", { class: "primary", hidden: true, onclick: () => this.startRun() }, "Start a run");
    this.versions = el("button", { class: "quiet", hidden: true, onclick: () => this.showVersions() }, "Versions");
    this.search = new Search(() => this.listen());
    this.history = new History();
    this.empty = el("p", { class: "dim empty", hidden: true });
    view.replaceChildren(el("div", { class: "overview" },
      el("section", { class: "side", "aria-label": "Deployments" },
        el("div", { class: "heading" }, el("h2", {}, "Deployments")), this.deployments),
      el("section", { "aria-label": "Runs" },
        el("div", { class: "heading" }, this.title, el("span", { class: "grow" }), el("a", { href: "#/events" }, "Events"), this.versions, this.start),
        this.search.element, this.history.element,
        el("table", { class: "runs" },
          el("thead", {}, el("tr", {}, ...["State", "Run", "Deployment", "Started", "Time", "Pods"].map((each) => el("th", { scope: "col" }, each)))),
          this.runs),
        this.empty)));
    this.listen();
    this.timer = setInterval(() => this.tick(), 1000);
    document.title = "Embedded Argo";
  }

  /** Ask for the runs that are looked for, now and whenever they change. */
  listen() {
    this.source?.stop();
    const { chosen, page } = this;
    const place = chosen ? [["namespace", chosen.namespace], ["template", chosen.name]] : [];
    const query = new URLSearchParams([...place, ...this.search.wanted()]);
    this.source = events(`/page/events?${query}`, `/page/overview?${query}`, {
      onState: (found) => this.take(found), onGone() {}, onLive: page.live, onProblem: page.problem,
    });
  }

  take(found) {
    this.found = found;
    this.skew = found.now - Date.now() / 1000;
    for (const each of [this.start, this.versions]) set(each, "hidden", !this.deployment());
    const all = found.deployments.map((each) => [`${each.namespace}/${each.name}`, each]);
    reconcile(this.deployments, all, (each) => this.makeDeployment(each), (row, each) => {
      row.about = each;
      set(row.link, "aria-current", sameDeployment(each, this.chosen) ? "true" : null);
      text(row.name, each.title || each.name);
      text(row.more, each.description || `deployed ${moment(each.created)}`);
    });
    reconcile(this.runs, found.runs.map((run) => [run.uid, run]), makeRun, (row, run) => this.showRun(row, run));
    set(this.empty, "hidden", found.runs.length > 0);
    if (this.chosen) this.history.take(found.runs, found.schedules, found.now);
    text(this.empty, this.search.wanted().length ? "No run is like that." : found.deployments.length ? "No runs yet." : "Nothing is deployed yet. Deploy a flow with: mfhera create flow.py");
  }

  tick() {
    if (this.found) for (const run of this.found.runs) if (!run.finished) this.showRun(this.runs.kept.get(run.uid), run);
  }

  makeDeployment(each) {
    const name = el("span", { class: "name" });
    const more = el("small", { class: "dim" });
    const link = el("a", { href: `#/deployments/${path(each.namespace, each.name)}`, "data-row": "" }, name, more);
    const row = el("li", {}, link, el("button", {
      class: "quiet", title: "Start a run", onclick: () => this.open(row.about),
    }, "Start"));
    return Object.assign(row, { link, name, more, about: each });
  }

  showRun(row, run) {
    const word = runState(run);
    set(row.dot, "class", `state ${tone(word)}`);
    text(row.dot, word);
    const end = run.finished ?? Date.now() / 1000 + this.skew;
    text(row.time, run.phase === "Pending" ? "" : duration(end - run.started));
    text(row.progress, podsOf(run));
  }

  deployment() {
    return this.found?.deployments.find((each) => sameDeployment(each, this.chosen));
  }

  startRun() {
    const only = this.found?.deployments.length === 1 ? this.found.deployments[0] : null;
    const about = this.deployment() ?? document.activeElement?.closest("li")?.about ?? only;
    if (about) this.open(about);
    else this.page.notice("Choose a deployment first.");
  }

  showVersions() {
    showVersions(this.deployment()).catch(this.page.problem);
  }

  open(deployment) {
    startForm(deployment, this.found.runs.filter((run) => run.namespace === deployment.namespace && run.template === deployment.name), (run) => { location.hash = `#/runs/${path(run.namespace, run.name)}`; });
  }

  key(key) {
    if (key === "/") { this.search.focus(); return true; }
    if (key !== "n") return false;
    this.startRun();
    return true;
  }

  stop() {
    clearInterval(this.timer);
    this.search.stop();
    this.source.stop();
  }
}

function makeRun(run) {
  const dot = el("span");
  const time = el("td", { class: "number" });
  const progress = el("td", { class: "number" });
  const link = el("a", { href: `#/runs/${path(run.namespace, run.name)}`, "data-row": "" }, run.title || run.id);
  const row = el("tr", { onclick: (event) => { if (event.target.tagName !== "A") link.click(); } },
    el("td", {}, dot), el("td", { class: "name" }, link), el("td", { class: "dim" }, run.template),
    el("td", { class: "dim" }, moment(run.started)), time, progress);
  return Object.assign(row, { dot, time, progress });
}
