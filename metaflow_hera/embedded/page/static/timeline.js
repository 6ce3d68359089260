// The timeline: for each line of the tree when its tasks ran, or how many did.

import { el, set, svg, text } from "./dom.js";
import { duration, state, tone } from "./words.js";

const WIDTH = 1000;
const HEIGHT = 16;
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
  for (let at = 0; at <= scale.width; at += step) {
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

/** Draw the bars of one task, or of the few of a group. */
export function drawBars(track, scale, bars) {
  resize(track, "rect", bars.length);
  const height = bars.length > 1 ? Math.max(1, (HEIGHT - 4) / Math.min(bars.length, 6)) : HEIGHT - 6;
  bars.forEach(([start, end, phase], index) => {
    const rect = track.children[index];
    const x = scale.x(start);
    set(rect, "x", x.toFixed(1));
    set(rect, "width", Math.max(3, scale.x(end ?? scale.to) - x).toFixed(1));
    set(rect, "y", bars.length > 1 ? (2 + (index % 6) * height).toFixed(1) : 3);
    set(rect, "height", (bars.length > 1 ? Math.max(1, height - 0.5) : height).toFixed(1));
    set(rect, "class", `fill ${tone(state(phase))}`);
  });
}

/** Draw how many of a group ran at a time. */
export function drawBins(track, scale, bins, [first, last], word) {
  resize(track, "path", 1);
  const most = Math.max(1, ...bins);
  const width = (last - first) / bins.length || 1 / bins.length;
  const y = (value) => (HEIGHT - 1 - (value / most) * (HEIGHT - 3)).toFixed(1);
  let line = `M${scale.x(first).toFixed(1)} ${HEIGHT - 1}`;
  bins.forEach((value, index) => {
    line += ` L${scale.x(first + index * width).toFixed(1)} ${y(value)} L${scale.x(first + (index + 1) * width).toFixed(1)} ${y(value)}`;
  });
  set(track.firstChild, "d", `${line} L${scale.x(last).toFixed(1)} ${HEIGHT - 1} Z`);
  set(track.firstChild, "class", `fill ${word}`);
}

/** Make a track have exactly this many children of a kind. */
function resize(track, tag, many) {
  if (track.firstChild && track.firstChild.tagName !== tag) track.replaceChildren();
  while (track.children.length > many) track.lastChild.remove();
  while (track.children.length < many) track.append(svg(tag));
}

/** Show how long something ran. */
export function tell(element, started, finished, now) {
  text(element, started ? duration((finished ?? now) - started) : "");
}
