// What the steps of a flow's graph and the ways between them do, by the groups of a run's tasks.

import { count } from "./words.js";

const SWITCH = "split-switch";

/** The states of a step's places, of which the first that any of them has is that of the step. */
const STATES = ["Error", "Failed", "Running", "Pending", "Waiting", "Succeeded", "Not started", "Skipped"];
const TO_COME = ["Running", "Pending", "Waiting"];

/** For each step by its name: its places in the tree, its state in a word, its numbers in words. */
export function stepsOf(picture, found) {
  const over = found.run.finished !== null;
  const groups = new Map(picture.steps.map((step) => [step.name, []]));
  for (const group of found.groups) {
    if (!group.parent && !group.path.startsWith("onExit")) groups.get(group.label)?.push(group);
  }
  return new Map(picture.steps.map((step) => [step.name, stepOf(step, groups.get(step.name), over)]));
}

/** A step may have several places: two foreachs that lead to it have one each. */
function stepOf(step, groups, over) {
  const phases = sum(groups.map((group) => group.phases));
  const total = groups.reduce((all, group) => all + group.total, 0);
  const word = STATES.find((state) => groups.some((group) => group.state === state)) ?? "Waiting";
  const well = phases.Succeeded ?? 0;
  const bad = (phases.Failed ?? 0) + (phases.Error ?? 0);
  const many = total > 1 || (step.foreachs.length > 0 && total > 0);
  const numbers = `${count(well)}/${count(total)}${bad ? ` · ${count(bad)} failed` : ""}`;
  return {
    word,
    path: (groups.find((group) => group.total) ?? groups[0])?.path,
    words: many && word !== "Not started" ? numbers : word,
    ended: over || !TO_COME.includes(word),
    iterations: groups.reduce((all, group) => all + (group.iterations ?? 0), 0),
    well: well > 0,
    choices: sum(groups.map((group) => group.choices ?? {})),
    switches: step.kind === SWITCH,
    joins: step.kind === "join", // it waits for all tasks of a foreach
  };
}

/** Of a way from one step to another: "taken", "passed" (it was not taken, and will not be), or "" so far. */
export function wayOf({ from, to }, steps) {
  const { choices, ended, well, iterations, switches } = steps.get(from);
  const next = steps.get(to);
  const leads = well && next.word !== "Not started" && (ended || !next.joins);
  if (from === to ? iterations > 1 : switches ? choices[to] : leads) return "taken";
  return ended ? "passed" : "";
}

/** How often a switch that ran several times chose a way, else nothing. */
export function timesOf({ from, to }, steps) {
  const { choices } = steps.get(from);
  const all = Object.values(choices).reduce((one, other) => one + other, 0);
  return all > 1 && choices[to] ? `${count(choices[to])}×` : "";
}

/** What a step is, in a word that is drawn with it. A loop tells how often it ran when it is through. */
export function badgeOf(step, loops, { iterations }) {
  if (step.parallel) return "@parallel";
  if (loops) return iterations ? `loop ${count(iterations)}×` : "loop";
  return step.kind === "foreach" ? "foreach" : "";
}

/** All that is told of a step, in words: at first what is drawn. */
export function labelOf(step, badge, { word, words, switches }) {
  return [
    step.name, words, badge, words === word ? "" : word, switches && !badge ? "switch" : "",
    step.foreachs.length ? `in foreach ${step.foreachs.join(", ")}` : "",
  ].filter(Boolean).join(", ");
}

function sum(counted) {
  const all = {};
  for (const counts of counted) for (const [key, many] of Object.entries(counts)) all[key] = (all[key] ?? 0) + many;
  return all;
}
