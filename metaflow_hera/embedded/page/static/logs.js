// The log of a task, as it is written. Only its last lines are kept.

import { log, task as loadTask } from "./api.js";
import { el, set, text } from "./dom.js";
import { Results } from "./results.js";

const LINES = 2000;
const LONGEST = 4000; // characters of a line that are shown
const RELOAD = 2000; // milliseconds between two checks for new attempts

/** The pane at the bottom of a run. */
export class Logs {
  constructor(run) {
    this.run = run;
    this.name = el("strong");
    this.attempts = el("select", { "aria-label": "Attempt", onchange: () => this.read(this.attempts.value) });
    this.following = el("input", { type: "checkbox", id: "follow", checked: true });
    this.note = el("span", { class: "dim" });
    this.lines = el("div", { class: "lines", role: "log", "aria-label": "Log", tabindex: 0 });
    this.results = new Results(run);
    const tab = (label, isResults, key) => el("button", { class: "quiet tab", role: "tab", title: `${label} (${key})`, onclick: () => this.turn(isResults) }, label);
    this.tabs = [tab("Log", false, "l"), tab("Results", true, "a")];
    this.follows = el("label", { for: "follow", class: "dim" }, this.following, " Follow");
    this.element = el("section", { class: "logs", hidden: true, "aria-label": "Log of a task" },
      el("div", { class: "heading" }, this.name, el("div", { class: "tabs", role: "tablist" }, ...this.tabs), this.attempts, this.note, el("span", { class: "grow" }),
        this.follows,
        el("button", { class: "quiet", title: "Close (Esc)", onclick: () => this.close() }, "Close")),
      this.lines, this.results.element);
    this.turn(false);
    this.following.addEventListener("change", () => this.scroll());
  }

  /** Show the log of a task, that of its last attempt. */
  open(task) {
    this.task = task;
    this.loaded = Date.now();
    set(this.element, "hidden", null);
    text(this.name, task.label);
    this.list(true);
    this.turn(this.showsResults);
  }

  /** Show the log of the task, or what it has stored. */
  turn(isResults) {
    this.showsResults = isResults;
    this.tabs.forEach((tab, index) => set(tab, "aria-selected", String(isResults === (index === 1))));
    for (const each of [this.lines, this.attempts, this.note, this.follows]) each.classList.toggle("away", isResults);
    set(this.results.element, "hidden", !isResults);
    if (isResults) this.results.open(this.task);
  }

  /** The keys of the open pane; returns whether it was one. */
  key(key) {
    if (this.element.hidden || !"la".includes(key)) return false;
    this.turn(key === "a");
    return true;
  }

  list(last) {
    const { pods } = this.task;
    this.attempts.replaceChildren(...pods.map((pod, index) =>
      el("option", { value: pod.name }, `Attempt ${index + 1}: ${pod.phase}`)));
    set(this.attempts, "hidden", pods.length < 2);
    if (pods.length && (last || !this.pod)) this.read(pods.at(-1).name);
    else if (this.pod) this.attempts.value = this.pod;
    if (!pods.length) { this.end(); this.lines.replaceChildren(); this.pod = null; text(this.note, "It has not started."); }
  }

  /** The run has changed: the task may have a new attempt, which is shown if the last one was. */
  async refresh() {
    if (this.element.hidden || this.busy || Date.now() - this.loaded < RELOAD) return;
    this.busy = true;
    try {
      const found = await loadTask(this.run, this.task.id);
      this.loaded = Date.now();
      if (found && found.id === this.task.id) {
        const last = this.task.pods.at(-1)?.name;
        const next = found.pods.at(-1)?.name;
        this.task = found;
        this.list(last !== next && this.pod === last);
        if (this.showsResults) this.results.open(found);
      }
    } catch {
      // The next change tries again.
    } finally {
      this.busy = false;
    }
  }

  async read(pod) {
    this.end();
    this.pod = pod;
    this.attempts.value = pod;
    this.lines.replaceChildren();
    this.waiting = [];
    text(this.note, "Waiting for its first line…");
    const stop = (this.stopper = new AbortController());
    try {
      await log(this.run, pod, LINES, (lines) => { if (!stop.signal.aborted) this.add(lines); }, stop.signal);
    } catch (error) {
      if (!stop.signal.aborted) text(this.note, error.message);
      return;
    }
    if (!stop.signal.aborted && !this.lines.childElementCount && !this.waiting.length) text(this.note, "It has written nothing.");
  }

  /** Lines are drawn once a frame, however fast they come. */
  add(lines) {
    if (!this.waiting.length) requestAnimationFrame(() => this.draw());
    for (const line of lines) this.waiting.push(line.slice(0, LONGEST));
    if (this.waiting.length > LINES) this.waiting.splice(0, this.waiting.length - LINES);
  }

  draw() {
    text(this.note, "");
    this.lines.append(...this.waiting.map((line) => el("div", {}, line || " ")));
    this.waiting = [];
    while (this.lines.childElementCount > LINES) this.lines.firstElementChild.remove();
    this.scroll();
  }

  scroll() {
    if (this.following.checked) this.lines.scrollTop = this.lines.scrollHeight;
  }

  follow() {
    this.following.checked = !this.following.checked;
    this.scroll();
  }

  end() {
    this.stopper?.abort();
  }

  /** Close the pane; returns whether it was open. */
  close() {
    if (this.element.hidden) return false;
    this.end();
    this.pod = null;
    set(this.element, "hidden", true);
    return true;
  }
}
