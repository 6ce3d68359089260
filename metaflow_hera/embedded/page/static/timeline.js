// The timeline: for each line of the tree when its tasks ran, or how many did.

import { el, set, svg } from "./dom.js";
import { duration, tone } from "./words.js";

const WIDTH = 1000;
const HEIGHT = 16;
const LEAST = 3; // the width of what took no time
const TICKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

/** The span of time that is drawn. */
export class Scale {
  constructor(from, to) {
    this.from = from;
    this.width = Math.max(1, to - from);
    this.to = to;
  }

  x(time) {
    return ((time - this.from) / this.width) * WIDTH;
  }
}

/** Draw the scale's times, at most six of them. */
export function drawAxis(element, scale) {
  const step = TICKS.find((each) => scale.width / each <= 6) ?? Math.ceil(scale.width / 6);
  const marks = [];
  for (let at = 0; at <= scale.width * 0.94; at += step) { // one at the very end would be cut off
    const mark = el("span", {}, duration(at));
    mark.style.left = `${(at / scale.width) * 100}%`;
    marks.push(mark);
  }
  element.replaceChildren(...marks);
}

/** An empty track. */
export function makeTrack() {
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  return drawing;
}

/**
 * Draw the bars of one task, or of the few of a group: of each attempt `[made, started, ended, phase]` a pale part
 * while it waited for a place, and a full one while it ran.
 */
export function drawBars(track, scale, bars) {
  const parts = bars.flatMap((attempts, index) => attempts.flatMap(([made, started, ended, phase]) => [
    { index, from: made, to: started ?? ended, pale: true, phase },
    started !== null && { index, from: started, to: ended, phase },
  ])).filter((each) => each && (!each.pale || each.to === null || each.to > each.from));
  resize(track, "rect", parts.length);
  const rows = Math.min(bars.length, 6);
  const height = rows > 1 ? (HEIGHT - 2) / rows : HEIGHT - 6;
  parts.forEach(({ index, from, to, pale, phase }, at) => {
    const rect = track.children[at];
    const x = Math.min(scale.x(from), WIDTH - LEAST);
    set(rect, "x", x.toFixed(1));
    set(rect, "width", Math.max(LEAST, scale.x(to ?? scale.to) - x - (pale ? 0 : 1)).toFixed(1));
    set(rect, "y", (rows > 1 ? 1 + (index % 6) * height : 3).toFixed(1));
    set(rect, "height", (rows > 1 ? Math.max(1, height - 0.5) : height).toFixed(1));
    set(rect, "class", pale ? "fill waits" : `fill ${tone(phase)}`);
  });
}

/** Draw how many of a group ran at a time, over a pale band while some waited. */
export function drawBins(track, scale, bins, [first, last], [from, to], word) {
  resize(track, "path", 2);
  const most = Math.max(1, ...bins);
  const width = (last - first) / bins.length || 1 / bins.length;
  const y = (value) => (HEIGHT - 1 - (value / most) * (HEIGHT - 3)).toFixed(1);
  const x = (time) => Math.min(scale.x(time), WIDTH).toFixed(1);
  let line = `M${Math.min(scale.x(first), WIDTH - LEAST).toFixed(1)} ${HEIGHT - 1}`;
  bins.forEach((value, index) => {
    line += ` L${x(first + index * width)} ${y(value)} L${x(first + (index + 1) * width)} ${y(value)}`;
  });
  set(track.firstChild, "d", `M${x(from)} 2 H${x(to)} V${HEIGHT - 1} H${x(from)} Z`);
  set(track.firstChild, "class", "fill waits");
  set(track.lastChild, "d", `${line} L${x(last)} ${HEIGHT - 1} Z`);
  set(track.lastChild, "class", `fill ${word}`);
}

/** Make a track have exactly this many children of a kind. */
function resize(track, tag, many) {
  if (track.firstChild && track.firstChild.tagName !== tag) track.replaceChildren();
  while (track.children.length > many) track.lastChild.remove();
  while (track.children.length < many) track.append(svg(tag));
}

/** How long something ran, in words: from its start to its end, or to now. */
export const ran = (started, finished, now) => (started ? duration((finished ?? now) - started) : "");

/** How long the attempts of a task ran. What they waited for a place does not count. */
export function ranFor(attempts, now) {
  const begun = attempts.filter(([, started]) => started !== null);
  return begun.length ? duration(begun.reduce((sum, [, started, ended]) => sum + Math.max(0, (ended ?? now) - started), 0)) : "";
}
