// Times, numbers and states as people read them.

const number = new Intl.NumberFormat("en");

export const count = (value) => number.format(value);

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

const WORDS = { Omitted: "Skipped", Error: "Failed" };

/** A state in one of a few words, which are also the names of its colours. */
export function state(phase) {
  return WORDS[phase] ?? phase;
}

/** The state of a run. */
export function runState(run) {
  return run.waits ? "Suspended" : state(run.phase);
}

/** One state for tasks counted by phase. */
export function stateOf(phases, total) {
  const counts = tally(phases);
  if (counts.Failed) return "Failed";
  if (counts.Running) return "Running";
  const done = (counts.Succeeded ?? 0) + (counts.Skipped ?? 0);
  if (counts.Pending) return done ? "Running" : "Pending";
  if (!done) return "Waiting";
  if (done < total) return "Running";
  return counts.Succeeded ? "Succeeded" : "Skipped";
}

/** Counts by state instead of phase. */
export function tally(phases) {
  const counts = {};
  for (const [phase, many] of Object.entries(phases)) {
    counts[state(phase)] = (counts[state(phase)] ?? 0) + many;
  }
  return counts;
}
