// Dialogs: a question, the keys, and the form that starts a run.

import { check, parameters, submit } from "./api.js";
import { el, set, text } from "./dom.js";
import { inFlowsForm } from "./values.js";
import { moment, runState } from "./words.js";

/** Show a dialog, which is removed when it is closed. */
export function show(dialog) {
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  return dialog;
}

/** Ask before something that cannot be undone; resolves to whether to do it. */
export function confirmed(question, verb) {
  return new Promise((resolve) => {
    const dialog = show(el("dialog", { "aria-label": verb },
      el("form", { method: "dialog" },
        el("p", {}, question),
        el("div", { class: "actions" },
          el("button", { value: "no" }, "Cancel"),
          el("button", { value: "yes", class: "danger" }, verb)))));
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"));
  });
}

const KEYS = [
  ["?", "these keys"], ["g", "deployments and runs"], ["n", "start a run"], ["/", "search runs"],
  ["↑ ↓ or k j", "move"], ["← →", "close and open a line of the tree"],
  ["Enter", "open a run, or the log of a task"],
  ["s", "suspend or resume the run"], ["r", "retry the run"], ["x", "terminate the run"],
  ["v", "the tree alone, or the graph beside it"], ["+ - 0", "zoom the graph, or show all of it"],
  ["l a", "the log or the artifacts and cards of the task"], ["f", "follow the log or stop following"],
  ["Esc", "close the log or a dialog"], ["t", "light or dark"],
];

/** Show the keys. */
export function help() {
  show(el("dialog", { class: "help", "aria-label": "Keys" },
    el("h2", {}, "Keys"),
    el("dl", {}, ...KEYS.flatMap(([key, does]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, does)])),
    el("form", { method: "dialog", class: "actions" }, el("button", {}, "Close"))));
}

const EARLIER = 20; // runs whose parameters are offered

/**
 * The form that starts a run of a deployment, with its defaults or what one of its `runs` was given; calls
 * `onStarted(run)` when it has started.
 */
export function startForm(deployment, runs, onStarted) {
  const problem = el("p", { class: "problem", role: "alert" });
  const fields = deployment.parameters.map(field);
  if (fields.length) fields[0].input.autofocus = true;
  const button = el("button", { class: "primary", type: "submit" }, "Start");
  const dialog = el("dialog", { class: "start", "aria-label": "Start a run" },
    el("form", { method: "dialog", onsubmit: send },
      el("h2", {}, `Start a run of ${deployment.title || deployment.name}`),
      fields.length ? beginning(runs.slice(0, EARLIER), fields, problem) : el("p", { class: "dim" }, "It takes no parameters."),
      ...fields.map(({ row }) => row),
      problem,
      el("div", { class: "actions" },
        el("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), button)));
  show(dialog);

  async function send(event) {
    event.preventDefault();
    button.disabled = true;
    text(problem, "");
    // Parameters that were not changed are left to the deployment.
    const changed = fields.filter((each) => each.required || each.typed() !== each.shown);
    try {
      const misfits = await check(deployment, Object.fromEntries(changed.map((each) => [each.name, each.typed()])));
      for (const each of fields) each.mark(misfits[each.name] ?? "");
      const wrong = fields.find((each) => misfits[each.name]);
      if (wrong) {
        wrong.input.focus();
        button.disabled = false;
        return;
      }
      const made = await submit(deployment, Object.fromEntries(changed.map((each) => [each.name, each.value()])));
      dialog.close();
      onStarted(made.metadata);
    } catch (error) {
      text(problem, error.message);
      button.disabled = false;
    }
  }
}

/** A choice of what the fields begin with: the defaults, or the parameters of an earlier run. */
function beginning(runs, fields, problem) {
  if (!runs.length) return null;
  const words = (run) => `the parameters of ${run.id} (${runState(run)}, ${moment(run.started)})`;
  const select = el("select", { id: "begin", onchange: fill },
    el("option", { value: "" }, "the defaults"), ...runs.map((run, at) => el("option", { value: at }, words(run))));
  return el("div", { class: "field begin" }, el("label", { for: "begin" }, "Begin with"), select);

  async function fill() {
    const chosen = select.value;
    try {
      const given = chosen === "" ? [] : await parameters(runs[chosen]);
      if (select.value !== chosen) return; // another one was chosen meanwhile
      const values = new Map(given.map((each) => [each.name, each.value]));
      for (const each of fields) { each.put(values.get(each.name)); each.mark(""); }
      text(problem, "");
    } catch (error) {
      text(problem, error.message);
    }
  }
}

/** What a Parameter's type means to people; the others are called as in Python. */
const YES = /^(1|true|t|yes|y|on)$/i;
const TYPES = { str: "text", FilePath: "file", bool: "on or off" };

function field({ name, value, type, on, required, encoded, description, enum: choices }) {
  const id = `parameter-${name}`;
  const given = value === null || value === undefined ? null : String(value);
  const attributes = { id, name, "aria-describedby": `${id}-about ${id}-problem`, autocomplete: "off", spellcheck: "false" };
  const isSwitch = type === "bool";
  let input;
  if (choices.length) {
    input = el("select", attributes, ...choices.map((each) => el("option", {}, String(each))));
  } else if (isSwitch) {
    input = el("input", { ...attributes, type: "checkbox", role: "switch", checked: on });
  } else if ((given ?? "").length > 60 || (given ?? "").includes("\n")) {
    input = el("textarea", { ...attributes, rows: 4 });
  } else {
    input = el("input", { ...attributes, required });
  }
  if (type === "FilePath") input.readOnly = true; // only the flow's code knows how to store a file
  if (given !== null && !isSwitch) input.value = given;
  const typed = () => (isSwitch ? String(input.checked) : input.value);
  const put = (text) => {
    if (isSwitch) input.checked = text === undefined ? on : YES.test(text);
    else input.value = text ?? given ?? "";
  };
  const shown = typed(); // a browser normalizes line ends
  const problem = el("small", { id: `${id}-problem`, class: "problem", role: "alert" });
  const about = [description, defaultOf(type, given, on), type === "FilePath" ? `for another file: mfhera trigger FLOW.py --param ${name}=PATH` : ""];
  const row = el("div", { class: isSwitch ? "field switch" : "field" },
    el("label", { for: id }, name,
      required ? el("abbr", { class: "required", title: "must be given" }, " *") : null,
      type ? el("small", { class: "dim type" }, TYPES[type] ?? type) : null),
    input, el("small", { id: `${id}-about`, class: "dim" }, about.filter(Boolean).join(" · ")), problem);
  const mark = (words) => { text(problem, words); set(input, "aria-invalid", words ? "true" : null); };
  return { name, shown, required, input, row, typed, put, mark, value: () => (encoded ? inFlowsForm(typed()) : typed()) };
}

/** The default in words; a long one is seen in its field. */
function defaultOf(type, given, on) {
  if (type === "" || type === "FilePath") return "";
  if (given === null) return "no default";
  if (type === "bool") return `default: ${on ? "on" : "off"}`;
  return given.length > 60 || given.includes("\n") ? "" : `default: ${given === "" ? "empty" : given}`;
}
