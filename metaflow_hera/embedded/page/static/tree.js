// The tree of a run: a line for each step, with its tasks below it a page at a time.

import { tasks as loadTasks } from "./api.js";
import { el, reconcile, set, text } from "./dom.js";
import { drawAxis, drawBars, drawBins, makeTrack, ran, ranFor, Scale } from "./timeline.js";
import { count, tone } from "./words.js";

const PAGE = 100;
const RELOAD = 2000; // milliseconds between two reads of the tasks of an open group
const SHARES = ["Succeeded", "Skipped", "Failed", "Running"];

/** The tree; `onOpen(task)` is called with a task whose log is wanted. */
export class Tree {
  constructor(onOpen, onProblem) {
    this.onOpen = onOpen;
    this.onProblem = onProblem;
    this.closed = new Set(); // groups with others inside them are open at first
    this.pages = new Map(); // the open groups of tasks: path -> {offset, found, loaded}
    this.axis = el("div", { class: "axis", "aria-hidden": "true", title: "Pale: it waited for a place to run. Full: it ran." });
    this.body = el("div", { role: "tree", "aria-label": "Steps and tasks", onkeydown: (event) => this.keydown(event) });
    this.element = el("div", { class: "tree" },
      el("div", { class: "line head", "aria-hidden": "true" },
        el("span", {}, "Step"), el("span", {}, "State"), el("span", { class: "number" }, "Time"), this.axis),
      this.body);
  }

  /** Take a new state of the run. */
  take(found) {
    this.run = found.run;
    this.groups = found.groups;
    for (const path of this.pages.keys()) this.load(path);
  }

  /** Draw, at the server's current time. */
  draw(now) {
    const { run } = this;
    this.scale = new Scale(run.started, run.finished ?? now);
    drawAxis(this.axis, this.scale);
    const lines = this.lines();
    reconcile(this.body, lines.map((line) => [line.key, line]), (line) => this.make(line), (row, line) => this.show(row, line, now));
    if (!this.body.querySelector('[tabindex="0"]') && this.body.firstElementChild) this.body.firstElementChild.tabIndex = 0;
  }

  lines() {
    const lines = [];
    let hidden = Infinity; // the depth of a closed group whose inside is left out
    for (const group of this.groups) {
      if (group.depth > hidden) continue;
      const opens = group.parent || group.foreach;
      const open = group.parent ? !this.closed.has(group.path) : this.pages.has(group.path);
      hidden = group.parent && !open ? group.depth : Infinity;
      lines.push({ key: group.path, kind: "group", depth: group.depth, group, opens, open });
      if (!group.parent && open) lines.push(...this.page(group));
    }
    return lines;
  }

  page(group) {
    const page = this.pages.get(group.path);
    const lines = [];
    if (!page.found) return lines;
    const { total, offset, tasks } = page.found;
    for (const task of tasks) lines.push({ key: `task ${task.id}`, kind: "task", depth: group.depth + 1, task, group });
    const pager = (key, words, to) => lines.push({ key: `${key} ${group.path}`, kind: "pager", depth: group.depth + 1, words, to, group });
    if (offset > 0) pager("previous", `${count(offset)} before these: show the previous ${PAGE}`, offset - PAGE);
    const left = total - offset - tasks.length;
    if (left > 0) pager("next", `${count(left)} after these: show the next ${Math.min(left, PAGE)}`, offset + PAGE);
    return lines;
  }

  make(line) {
    const row = el("div", { role: "treeitem", class: `line ${line.kind}`, tabindex: -1, onclick: () => { this.focus(row); this.enter(row.line); } });
    row.name = el("span", { class: "label" });
    row.twist = el("span", { class: "twist", "aria-hidden": "true" });
    row.dot = el("span", { class: "dot", "aria-hidden": "true" });
    row.shares = el("span", { class: "shares", "aria-hidden": "true" }, ...SHARES.map((word) => el("i", { class: word })));
    row.counts = el("span", { class: "counts" });
    row.time = el("span", { class: "number time" });
    row.track = makeTrack();
    row.cell = el("span", { class: "cell" }, row.twist, row.dot, row.name);
    row.append(row.cell, " ", el("span", { class: "amount" }, row.shares, row.counts), " ", row.time, row.track);
    return row;
  }

  show(row, line, now) {
    row.line = line;
    set(row, "aria-level", line.depth + 1);
    set(row, "aria-expanded", line.opens ? String(line.open) : null);
    text(row.twist, line.opens ? (line.open ? "▾" : "▸") : "");
    row.cell.style.paddingLeft = `${line.depth * 18}px`;
    if (line.kind === "group") this.showGroup(row, line.group, now);
    else if (line.kind === "task") this.showTask(row, line.task, now);
    else { text(row.name, line.words); set(row, "aria-label", line.words); }
  }

  showGroup(row, group, now) {
    const many = group.foreach && group.total > 0 && group.state !== "Not started";
    set(row.shares, "hidden", !many);
    SHARES.forEach((word, index) => {
      const share = (group.phases[word] ?? 0) + (word === "Failed" ? group.phases.Error ?? 0 : 0);
      row.shares.children[index].style.width = many ? `${(share / group.total) * 100}%` : "0";
    });
    this.tell(row, group.label, group.state, group.words, ran(group.started, group.finished, now));
    if (group.bars) drawBars(row.track, this.scale, group.bars);
    else drawBins(row.track, this.scale, group.bins, group.binned, group.waited, group.phases.Running ? "Running" : most(group.phases));
  }

  showTask(row, task, now) {
    const why = task.message && task.phase !== "Succeeded" ? task.message : "";
    set(row.shares, "hidden", true);
    set(row.counts, "title", why || null);
    this.tell(row, task.label, task.phase, why ? `${task.phase}: ${why}` : task.phase, ranFor(task.attempts, now));
    drawBars(row.track, this.scale, task.attempts.length ? [task.attempts] : []);
  }

  /** Write a line: what it is, its state, that in words, how long it ran. */
  tell(row, name, state, words, time) {
    set(row.dot, "class", `dot ${tone(state)}`);
    text(row.name, name);
    text(row.counts, words);
    text(row.time, time);
    set(row, "aria-label", [name, words, time].filter(Boolean).join(", "));
  }

  async load(path) {
    const page = this.pages.get(path);
    if (!page || page.busy) return;
    if (page.found && page.found.offset === page.offset && Date.now() - page.loaded < RELOAD) {
      page.timer ??= setTimeout(() => { page.timer = null; this.load(path); }, RELOAD);
      return;
    }
    page.busy = true;
    try {
      page.found = await loadTasks(this.run, path, page.offset, PAGE);
      page.loaded = Date.now();
    } catch (error) {
      this.onProblem(error);
    }
    page.busy = false;
    if (page.found && page.found.offset !== page.offset) this.load(path);
    this.onChange?.();
  }

  toggle(line, open) {
    const { path, parent } = line.group;
    if (parent) this.closed[open ? "delete" : "add"](path);
    else if (open) { this.pages.set(path, { offset: 0 }); this.load(path); }
    else { clearTimeout(this.pages.get(path)?.timer); this.pages.delete(path); }
    this.onChange?.();
  }

  /** Show a place, with its tasks where there are several. */
  reveal(path) {
    for (const group of this.groups) if (path.startsWith(`${group.path}/`)) this.closed.delete(group.path);
    const group = this.groups.find((each) => each.path === path);
    if (group?.foreach && !group.parent && !this.pages.has(path)) { this.pages.set(path, { offset: 0 }); this.load(path); }
    this.onChange?.();
    const row = this.body.kept.get(path);
    row?.scrollIntoView({ block: "nearest" });
    if (row) this.focus(row);
  }

  async enter(line) {
    if (line.kind === "pager") {
      this.pages.get(line.group.path).offset = Math.max(0, line.to);
      this.load(line.group.path);
    } else if (line.kind === "task") {
      this.onOpen(line.task);
    } else if (line.opens) {
      this.toggle(line, !line.open);
    } else {
      try {
        const { tasks } = await loadTasks(this.run, line.group.path, 0, 1);
        if (tasks.length) this.onOpen(tasks[0]);
      } catch (error) {
        this.onProblem(error);
      }
    }
  }

  focus(row) {
    for (const other of this.body.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    row.tabIndex = 0;
    row.focus();
  }

  keydown(event) {
    const row = event.target.closest("[role=treeitem]");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const { line } = row;
    const rows = [...this.body.children];
    const at = rows.indexOf(row);
    const up = () => rows.slice(0, at).reverse().find((each) => each.line.depth < line.depth);
    const goes = {
      ArrowDown: () => rows[at + 1], j: () => rows[at + 1], ArrowUp: () => rows[at - 1], k: () => rows[at - 1],
      Home: () => rows[0], End: () => rows.at(-1),
      ArrowRight: () => { if (!line.opens) return null; if (line.open) return rows[at + 1]; this.toggle(line, true); return null; },
      ArrowLeft: () => { if (line.opens && line.open) { this.toggle(line, false); return null; } return up(); },
      Enter: () => { this.enter(line); return null; }, " ": () => { this.enter(line); return null; },
    }[event.key];
    if (!goes) return;
    event.preventDefault();
    event.stopPropagation();
    const next = goes();
    if (next) this.focus(next);
  }

  /** Ask for no more tasks. */
  stop() {
    for (const page of this.pages.values()) clearTimeout(page.timer);
  }
}

/** The colour of the state that most are in. */
function most(phases) {
  return tone(Object.entries(phases).sort(([, one], [, other]) => other - one)[0]?.[0] ?? "Pending");
}
