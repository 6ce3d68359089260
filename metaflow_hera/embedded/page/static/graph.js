// The graph of a run's flow as a picture beside the tree: where all is comes from the server once, what it
// does with each new state of the run.

import { graph as loadGraph } from "./api.js";
import { el, set, svg, text } from "./dom.js";
import { badgeOf, labelOf, stepsOf, timesOf, wayOf } from "./steps.js";
import { tone } from "./words.js";

const KEY = "view"; // what the user chose last: "graph" or "tree"
const MARGIN = 24;
const SHEET = 4; // pixels between the sheets of a stack
const SHEETS = 3; // at most
const LEGIBLE = 0.85;
const SCALES = [0.03, 2.5]; // the smallest and the largest
const STEP = 1.25;
const TIP = 8; // the length of an arrow's tip

/** The picture; `onStep(path)` is called with the place in the tree of a step that was chosen. */
export class Graph {
  constructor(about, onStep, onProblem) {
    this.about = about;
    this.onStep = onStep;
    this.onProblem = onProblem;
    this.drawing = svg("svg", { role: "group", "aria-label": "Steps of the flow" });
    this.area = el("div", { class: "canvas" }, this.drawing);
    this.words = el("p", { class: "dim", hidden: true });
    const tool = (label, sign, does) => el("button", { class: "quiet", "aria-label": label, title: label, onclick: does }, sign);
    this.tools = el("div", { class: "zoom" },
      tool("Zoom out (-)", "−", () => this.zoom(1 / STEP)), tool("Zoom in (+)", "+", () => this.zoom(STEP)), tool("Fit all (0)", "Fit", () => this.fit()));
    this.element = el("section", { class: "graph", "aria-label": "Graph", hidden: true }, this.words, this.area, this.tools);
    this.choose = ["tree", "graph"].map((view) => el("button", { "data-view": view, onclick: () => this.show(view, true) }, view === "tree" ? "Tree" : "Graph"));
    this.chooser = el("div", { class: "views", role: "group", "aria-label": "View" }, ...this.choose);
    this.listen();
    this.show(localStorage.getItem(KEY) === "graph" ? "graph" : "tree");
  }

  /** Show the graph beside the tree, or the tree alone. */
  show(view, chosen = false) {
    this.shown = view === "graph";
    if (chosen) localStorage.setItem(KEY, view);
    for (const button of this.choose) set(button, "aria-pressed", String(button.dataset.view === view));
    set(this.element, "hidden", !this.shown);
    if (this.shown && !this.asked) this.load();
  }

  toggle() {
    this.show(this.shown ? "tree" : "graph", true);
  }

  async load() {
    this.asked = true;
    try {
      const picture = await loadGraph(this.about);
      set(this.words, "hidden", !picture.missing);
      set(this.tools, "hidden", Boolean(picture.missing));
      text(this.words, picture.missing ?? "");
      if (picture.missing) return;
      this.picture = picture;
      // At first all is shown, but not smaller than can be read; set before there is much to lay out.
      this.scaled(Math.max(LEGIBLE, Math.min(1, this.whole())));
      this.make();
      this.draw();
      this.begin();
    } catch (error) {
      this.asked = false;
      this.onProblem(error);
    }
  }

  /** Take a new state of the run. */
  take(found) {
    this.found = found;
    this.draw();
  }

  make() {
    const { steps, edges, size: [width, height] } = this.picture;
    set(this.drawing, "viewBox", `${-MARGIN} ${-MARGIN} ${width + 2 * MARGIN} ${height + 2 * MARGIN}`);
    const loops = new Set(edges.filter((edge) => edge.from === edge.to).map((edge) => edge.from));
    this.ways = edges.map((edge) => new Way(edge));
    this.nodes = new Map(steps.map((step) => [step.name, new Node(step, loops.has(step.name))]));
    const nodes = [...this.nodes.values()];
    this.drawing.replaceChildren(...this.ways.map((way) => way.element), ...nodes.map((node) => node.element));
    for (const node of nodes) node.element.node = node;
    if (nodes.length) set(nodes[0].element, "tabindex", 0);
  }

  /** Draw what has changed. */
  draw() {
    if (!this.picture || !this.found) return;
    this.steps = stepsOf(this.picture, this.found);
    for (const [name, node] of this.nodes) node.draw(this.steps.get(name));
    for (const way of this.ways) way.draw(this.steps);
  }

  /** Begin with the first step, and what is around it. */
  begin() {
    const { clientWidth, clientHeight } = this.area;
    const [x, y] = this.picture.steps[0].at.map((each) => (each + MARGIN) * this.scale);
    this.area.scrollTo(x - clientWidth / 2, y - clientHeight / 2);
  }

  fit() {
    this.scaled(Math.min(1, this.whole()));
  }

  /** The scale at which all of it can be seen. */
  whole() {
    const [width, height] = this.picture.size;
    return Math.min(this.area.clientWidth / (width + 2 * MARGIN), this.area.clientHeight / (height + 2 * MARGIN));
  }

  scaled(scale) {
    const [width, height] = this.picture.size;
    this.scale = Math.min(SCALES[1], Math.max(SCALES[0], scale));
    set(this.drawing, "width", Math.floor((width + 2 * MARGIN) * this.scale));
    set(this.drawing, "height", Math.floor((height + 2 * MARGIN) * this.scale));
  }

  /** Zoom, with what is at a point of the window (by default the middle) staying there. */
  zoom(factor, point) {
    if (!this.picture) return;
    const box = this.area.getBoundingClientRect();
    const [x, y] = point ? [point[0] - box.left, point[1] - box.top] : [box.width / 2, box.height / 2];
    const before = this.scale;
    const [left, top] = [this.area.scrollLeft + x, this.area.scrollTop + y];
    this.scaled(before * factor);
    const ratio = this.scale / before;
    this.area.scrollTo(left * ratio - x, top * ratio - y);
  }

  listen() {
    this.drawing.addEventListener("click", (event) => this.enter(event.target.closest(".node")));
    this.element.addEventListener("keydown", (event) => this.keydown(event));
    this.area.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 200), [event.clientX, event.clientY]);
    }, { passive: false });
    // The mouse drags the picture; a finger scrolls it by itself.
    this.area.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button !== 0 || event.target.closest(".node")) return;
      const { scrollLeft, scrollTop } = this.area;
      const move = (now) => this.area.scrollTo(scrollLeft + event.clientX - now.clientX, scrollTop + event.clientY - now.clientY);
      const end = () => removeEventListener("pointermove", move);
      addEventListener("pointermove", move);
      addEventListener("pointerup", end, { once: true });
    });
  }

  enter(element) {
    if (!element || !this.steps) return;
    this.focus(element);
    for (const node of this.nodes.values()) set(node.element, "aria-pressed", String(node === element.node));
    const { path } = this.steps.get(element.node.step.name);
    if (path) this.onStep(path);
  }

  focus(element) {
    for (const other of this.drawing.querySelectorAll('.node[tabindex="0"]')) set(other, "tabindex", -1);
    set(element, "tabindex", 0);
    element.focus();
  }

  keydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.picture) return;
    const element = event.target.closest(".node");
    const does = {
      "+": () => this.zoom(STEP), "=": () => this.zoom(STEP), "-": () => this.zoom(1 / STEP), 0: () => this.fit(),
      ...(element && {
        Enter: () => this.enter(element), " ": () => this.enter(element),
        ArrowRight: () => this.next(element, 1, 0), ArrowLeft: () => this.next(element, -1, 0),
        ArrowDown: () => this.next(element, 0, 1), ArrowUp: () => this.next(element, 0, -1),
        Home: () => this.focus(this.drawing.querySelector(".node")), End: () => this.focus(this.drawing.querySelector(".node:last-of-type")),
      }),
    }[event.key];
    if (!does) return;
    event.preventDefault();
    event.stopPropagation();
    does();
  }

  /** Go to the step that is nearest in a direction. */
  next(element, dx, dy) {
    const [x, y] = element.node.step.at;
    let [best, least] = [null, Infinity];
    for (const node of this.nodes.values()) {
      const [right, below] = [node.step.at[0] - x, node.step.at[1] - y];
      const along = right * dx + below * dy;
      const aside = Math.abs(right * dy) + Math.abs(below * dx);
      if (along > 1 && along + 2 * aside < least) [best, least] = [node, along + 2 * aside];
    }
    if (best) this.focus(best.element);
  }
}

/** A step: a box, with as many sheets behind it as there are foreachs around it. */
class Node {
  constructor(step, loops) {
    this.step = step;
    this.loops = loops;
    const [width, height] = step.size;
    this.element = svg("g", { class: "node", role: "button", tabindex: -1, transform: `translate(${step.at[0] - width / 2} ${step.at[1] - height / 2})` });
    const sheets = Math.min(SHEETS, step.foreachs.length);
    for (let sheet = sheets; sheet >= 0; sheet -= 1) {
      this.element.append(svg("rect", { class: "box", x: sheet * SHEET, y: sheet * SHEET, width, height, rx: 7 }));
    }
    const mark = step.kind === "split-switch" ? { d: "M17 7 L24 14 L17 21 L10 14 Z" } : { d: "M22 14 A5 5 0 1 1 12 14 A5 5 0 1 1 22 14" };
    this.element.append(svg("path", { class: "mark", ...mark }));
    this.name = svg("text", { class: "name", x: 32, y: 18.5 });
    this.count = svg("text", { class: "number", x: 32, y: 36 });
    this.name.textContent = step.name;
    this.element.append(this.name, " ", this.count);
    if (!badgeOf(step, loops, {})) return;
    this.badge = svg("text", { class: "badge", x: width - 9, y: height - 10, "text-anchor": "end" });
    this.element.append(" ", this.badge);
  }

  draw(told) {
    const badge = badgeOf(this.step, this.loops, told);
    const label = labelOf(this.step, badge, told);
    if (label === this.label) return;
    this.label = label;
    set(this.element, "class", `node ${tone(told.word)}`);
    set(this.element, "aria-label", label);
    text(this.count, told.words);
    if (this.badge) text(this.badge, badge);
  }
}

/** A way from one step to another; of a loop, back to itself. How often it was taken stands beside it. */
class Way {
  constructor(edge) {
    this.edge = edge;
    const points = edge.from === edge.to ? [...edge.points].reverse() : edge.points;
    const [x, y] = points.at(-1);
    const angle = Math.atan2(y - points.at(-2)[1], x - points.at(-2)[0]);
    const side = (turn) => `${(x - TIP * Math.cos(angle + turn)).toFixed(1)} ${(y - TIP * Math.sin(angle + turn)).toFixed(1)}`;
    const line = points.map(([a, b]) => `${a} ${b}`).join(" L");
    this.element = svg("path", { "aria-hidden": "true", "data-way": `${edge.from} ${edge.to}`, d: `M${line} M${side(0.5)} L${x} ${y} L${side(-0.5)}` });
    const before = Math.floor((points.length - 1) / 2);
    this.middle = [0, 1].map((axis) => (points[before][axis] + points[before + 1][axis]) / 2);
  }

  draw(steps) {
    const kind = `way ${wayOf(this.edge, steps)}`;
    const times = timesOf(this.edge, steps);
    if (kind !== this.kind) set(this.element, "class", kind);
    this.kind = kind;
    if (!times) return;
    if (!this.times) {
      this.times = svg("text", { class: "times", "aria-hidden": "true", x: this.middle[0], y: this.middle[1] - 4, "text-anchor": "middle" });
      this.element.after(this.times);
    }
    text(this.times, times);
  }
}
