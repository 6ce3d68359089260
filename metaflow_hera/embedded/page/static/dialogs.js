// Dialogs: a question, the keys, and the form that starts a run.

import { submit } from "./api.js";
import { el, text } from "./dom.js";
import { inFlowsForm } from "./values.js";

function show(dialog) {
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  return dialog;
}

/** Ask before something that cannot be undone; resolves to whether to do it. */
export function confirmed(question, verb) {
  return new Promise((resolve) => {
    const dialog = show(el("dialog", {},
      el("form", { method: "dialog" },
        el("p", {}, question),
        el("div", { class: "actions" },
          el("button", { value: "no" }, "Cancel"),
          el("button", { value: "yes", class: "danger" }, verb)))));
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"));
  });
}

const KEYS = [
  ["?", "these keys"], ["g", "deployments and runs"], ["n", "start a run"],
  ["↑ ↓ or k j", "move"], ["← →", "close and open a line of the tree"],
  ["Enter", "open a run, or the log of a task"],
  ["s", "suspend or resume the run"], ["r", "retry the run"], ["x", "terminate the run"],
  ["f", "follow the log or stop following"], ["Esc", "close the log or a dialog"], ["t", "light or dark"],
];

/** Show the keys. */
export function help() {
  show(el("dialog", { class: "help", "aria-label": "Keys" },
    el("h2", {}, "Keys"),
    el("dl", {}, ...KEYS.flatMap(([key, does]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, does)])),
    el("form", { method: "dialog", class: "actions" }, el("button", {}, "Close"))));
}

/** The form that starts a run of a deployment; calls `onStarted(run)` when it has started. */
export function startForm(deployment, onStarted) {
  const problem = el("p", { class: "problem", role: "alert" });
  const fields = deployment.parameters.map(field);
  const button = el("button", { class: "primary", type: "submit" }, "Start");
  const dialog = el("dialog", { class: "start", "aria-label": "Start a run" },
    el("form", { method: "dialog", onsubmit: send },
      el("h2", {}, `Start a run of ${deployment.title || deployment.name}`),
      fields.length ? null : el("p", { class: "dim" }, "It takes no parameters."),
      ...fields.map(({ row }) => row),
      problem,
      el("div", { class: "actions" },
        el("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), button)));
  show(dialog);

  async function send(event) {
    event.preventDefault();
    button.disabled = true;
    // Parameters that were not changed are left to the deployment.
    const changed = fields.filter(({ input, shown, required }) => required || input.value !== shown);
    try {
      const made = await submit(deployment, Object.fromEntries(changed.map(({ name, value }) => [name, value()])));
      dialog.close();
      onStarted(made.metadata);
    } catch (error) {
      text(problem, error.message);
      button.disabled = false;
    }
  }
}

function field({ name, value, required, encoded, description, enum: choices }) {
  const id = `parameter-${name}`;
  const given = value === null || value === undefined ? null : String(value);
  const attributes = { id, name, "aria-describedby": `${id}-about`, autocomplete: "off", spellcheck: "false" };
  let input;
  if (choices.length) {
    input = el("select", attributes, ...choices.map((each) => el("option", {}, String(each))));
  } else if ((given ?? "").length > 60 || (given ?? "").includes("\n")) {
    input = el("textarea", { ...attributes, rows: 4 });
  } else {
    input = el("input", { ...attributes, required });
  }
  if (given !== null) input.value = given;
  const shown = input.value; // a browser normalizes line ends
  const row = el("div", { class: "field" },
    el("label", { for: id }, name), input, el("small", { id: `${id}-about`, class: "dim" }, description));
  return { name, shown, required, input, row, value: () => (encoded ? inFlowsForm(input.value) : input.value) };
}
