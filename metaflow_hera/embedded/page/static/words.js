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

/** The class that colours a state, in the server's words. */
export const tone = (state) => ({ Error: "Failed", Omitted: "Skipped", "Not started": "Skipped" })[state] ?? state;

/** How many pods of a run are done: of one that went well, how many it had, failed attempts among them. */
export function podsOf(run) {
  return run.phase === "Succeeded" ? run.progress.split("/").at(-1) : run.progress;
}

/** The state of a run. */
export const runState = (run) => (run.waits ? "Suspended" : run.phase);
