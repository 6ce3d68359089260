// Times, numbers and states as people read them.

const number = new Intl.NumberFormat("en");

export const count = (value) => number.format(value);

/** A size, as 12 B, 3.4 kB or 5.6 MB. */
export function bytes(size) {
  if (!Number.isFinite(size)) return "";
  if (size < 1000) return `${size} B`;
  const power = Math.min(4, Math.floor(Math.log10(size) / 3));
  return `${(size / 1000 ** power).toFixed(1)} ${["", "kB", "MB", "GB", "TB"][power]}`;
}

/** Seconds as 1h 02m, 3m 04s or 5s. */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value) => String(value).padStart(2, "0");
  if (whole >= 3600) return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
  if (whole >= 60) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  return `${whole}s`;
}

/** A moment: the time of today, else the day with it. */
export function moment(seconds) {
  if (!seconds) return "";
  const date = new Date(seconds * 1000);
  const two = (value) => String(value).padStart(2, "0");
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  if (date.toDateString() === new Date().toDateString()) return time;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}

/** What will not start any more, since what comes before it failed or the run has ended. */
const NOT_STARTED = "Not started";

const WORDS = { Omitted: NOT_STARTED, Error: "Failed" };

/** A state in one of a few words, which are also the names of its colours. */
export function state(phase) {
  return WORDS[phase] ?? phase;
}

/** The class that colours a state. */
export const tone = (word) => (word === NOT_STARTED ? "Skipped" : word);

/** How many pods of a run are done: of one that went well, how many it had, failed attempts among them. */
export function podsOf(run) {
  return run.phase === "Succeeded" ? run.progress.split("/").at(-1) : run.progress;
}

/** The state of a run. */
export function runState(run) {
  return run.waits ? "Suspended" : state(run.phase);
}

/** One state for tasks counted by phase; `over` says that the run has ended. */
export function stateOf(phases, total, over) {
  const counts = tally(phases);
  if (counts.Failed) return "Failed";
  if (counts.Running) return "Running";
  const done = doneOf(counts);
  if (counts.Pending) return done ? "Running" : "Pending";
  if (!done) return over ? NOT_STARTED : "Waiting";
  if (done < total && !over) return "Running";
  if (counts.Succeeded) return "Succeeded";
  return counts[NOT_STARTED] ? NOT_STARTED : "Skipped";
}

/** How many have ended, or will never start. */
export function doneOf(counts) {
  return ["Succeeded", "Skipped", NOT_STARTED, "Failed"].reduce((sum, word) => sum + (counts[word] ?? 0), 0);
}

/** Counts by state instead of phase. */
export function tally(phases) {
  const counts = {};
  for (const [phase, many] of Object.entries(phases)) {
    counts[state(phase)] = (counts[state(phase)] ?? 0) + many;
  }
  return counts;
}
