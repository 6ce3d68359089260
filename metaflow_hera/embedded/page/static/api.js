// Calls to the server: Argo's REST API, and the page's own paths.

const part = encodeURIComponent;

/** The path of an object, or of something below it. */
export const path = (...parts) => parts.map(part).join("/");

/** The answer to a call; throws an Error with the server's message if it is refused. */
export async function call(method, url, body) {
  let answer;
  try {
    answer = await fetch(url, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("The embedded Argo does not answer. Start it with: mfhera local start");
  }
  if (answer.status === 401) throw new Error("You are not logged in any more. Run: mfhera local open");
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(found.message || `The server answered ${answer.status}.`), { status: answer.status });
  return found;
}

/** Act on a run: suspend, resume, retry, stop, terminate, resubmit. */
export function act(run, verb) {
  return call("PUT", `/api/v1/workflows/${path(run.namespace, run.name)}/${verb}`, {});
}

/** Start a run of a deployment, with parameters as {name: text}. */
export function submit(deployment, parameters) {
  return call("POST", `/api/v1/workflows/${part(deployment.namespace)}/submit`, {
    namespace: deployment.namespace,
    resourceKind: "WorkflowTemplate",
    resourceName: deployment.name,
    submitOptions: { parameters: Object.entries(parameters).map(([name, value]) => `${name}=${value}`) },
  });
}

/** What is wrong with typed values of a deployment's parameters: {name: words}. */
export async function check(deployment, values) {
  const found = await call("POST", `/page/deployments/${path(deployment.namespace, deployment.name)}/check`, { values });
  return found.misfits;
}

/** The parameters that a run was given, whole: [{name, value}]. */
export async function parameters(run) {
  return (await call("GET", `/page/runs/${path(run.namespace, run.name)}/parameters`)).parameters;
}

/** The versions of a deployment, the latest first: [{revision, version, at, by}]. */
export async function versions(deployment) {
  return (await call("GET", `/page/deployments/${path(deployment.namespace, deployment.name)}/versions`)).versions;
}

/** The lines of a difference between two revisions of a deployment. */
export async function changes(deployment, from, to) {
  const found = await call("GET", `/page/deployments/${path(deployment.namespace, deployment.name)}/changes?from=${from}&to=${to}`);
  return found.lines;
}

/** A page of the tasks of one place of a run. */
export function tasks(run, place, offset, limit) {
  return call("GET", `/page/runs/${path(run.namespace, run.name)}/tasks?path=${part(place)}&offset=${offset}&limit=${limit}`);
}

/** The picture of a run's flow; `missing` says why there is none. */
export function graph(run) {
  return call("GET", `/page/runs/${path(run.namespace, run.name)}/graph`);
}

/** One task, by its id. */
export async function task(run, id) {
  const found = await call("GET", `/page/runs/${path(run.namespace, run.name)}/tasks?id=${part(id)}`);
  return found.tasks[0];
}

/** What else there is to know about a run: {facts: [{name, value}], commands: [{what, text}]}. */
export const details = (run) => call("GET", `/page/runs/${path(run.namespace, run.name)}/details`);

/** The manifest of a run as YAML. */
export const manifest = async (run) => (await call("GET", `/page/runs/${path(run.namespace, run.name)}/details?manifest`)).yaml;

const taskPath = (run, what, id) => `/page/runs/${path(run.namespace, run.name)}/${what}?id=${part(id)}`;

/** What a task has stored: {pathspec, attempt, artifacts, more, cards, more_cards}, or why it is not told: {note}. */
export const results = (run, id) => call("GET", taskPath(run, "results", id));

/** Where a frame finds a card of a task. */
export const cardAddress = (run, id, number) => `${taskPath(run, "card", id)}&number=${number}`;

/**
 * The server's events, until `stop` is called. A hidden page asks for none.
 * Calls `onState(state)`, `onGone()`, `onLive(yes, refused)` as the connection comes and goes, and
 * `onProblem(error)` when the server refuses: `probe` is then called for the message, which an event source
 * does not give.
 */
export function events(url, probe, { onState, onGone, onLive, onProblem }) {
  let source = null;
  const close = () => { source?.close(); source = null; };
  const open = () => {
    close();
    source = new EventSource(url);
    source.addEventListener("open", () => onLive(true));
    source.addEventListener("error", () => {
      const refused = source?.readyState === EventSource.CLOSED;
      onLive(false, refused);
      if (refused) call("GET", probe).catch(onProblem);
    });
    source.addEventListener("state", (event) => onState(JSON.parse(event.data)));
    source.addEventListener("gone", () => { close(); onGone(); });
  };
  const seen = () => (document.hidden ? close() : open());
  document.addEventListener("visibilitychange", seen);
  open();
  return { stop() { document.removeEventListener("visibilitychange", seen); close(); } };
}

/** The lines of a pod's log as they come: `onLines([text])`, until `signal` aborts or the run is over. */
export async function log(run, pod, tail, onLines, signal) {
  const query = `logOptions.container=main&logOptions.follow=true&logOptions.tailLines=${tail}`;
  const url = `/api/v1/workflows/${path(run.namespace, run.name, pod)}/log?${query}`;
  const answer = await fetch(url, { signal });
  if (!answer.ok) throw new Error(`The log cannot be read: the server answered ${answer.status}.`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    onLines(lines.filter(Boolean).map((line) => JSON.parse(line).result?.content ?? ""));
  }
}
