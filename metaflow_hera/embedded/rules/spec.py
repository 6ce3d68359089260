"""The rules for a Workflow's or WorkflowTemplate's spec, in the order and the words of Argo.

Those of workflow/validate/validate.go of Argo Workflows 4.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from metaflow_hera.embedded.expressions.depends import Depends, invalid_result
from metaflow_hera.embedded.expressions.gojson import any_string
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.rules.checks import (
    Broken,
    Unresolved,
    ancestry_of,
    check_names,
    check_order,
    check_values,
    depends_of,
    field_name_error,
    first_unresolved,
    is_count,
    nothing_else,
    outputs_of,
    parameter_name_error,
)
from metaflow_hera.embedded.rules.metrics import check_metrics
from metaflow_hera.embedded.templates import ITEM_FIELDS, is_task_group, item_fields, pod_container

_TYPES = (
    "container",
    "containerSet",
    "steps",
    "script",
    "resource",
    "dag",
    "suspend",
    "http",
    "plugin",
    "data",
)
_TYPE_WORDS = "container, containerSet, steps, script, resource, dag, suspend, template, template ref"
_GLOBALS = frozenset(
    "workflow." + name
    for name in (
        *("name", "namespace", "mainEntrypoint", "serviceAccountName", "uid", "status"),
        *("annotations", "annotations.json", "labels", "labels.json"),
    )
)
_UNSUPPLIED = "\0"


class Validator:
    """Argo's templateValidationCtx."""

    def __init__(self, spec: JSON, metadata: JSON, *, lint: bool, is_template: bool) -> None:
        self.spec = spec
        self.metadata = metadata
        self.lint = lint
        self.is_template = is_template
        self.templates: dict[str, JSON] = {}
        self.known = set(_GLOBALS)
        self.done: set[str] = set()

    def check(self) -> None:
        """Apply the rules in Argo's order."""
        spec = self.spec
        templates = spec.get("templates") or []
        check_names("spec.templates", templates, field_name_error)
        self.templates = {template["name"]: template for template in templates}
        self._check_arguments()
        entrypoint = spec.get("entrypoint") or ""
        if not entrypoint and not self.is_template:
            raise Broken("spec.entrypoint is required")
        if entrypoint:
            self._template(entrypoint, None if self.is_template else self._arguments())
        if spec.get("onExit"):
            self.known.add("workflow.failures")
            self._template(spec["onExit"], self._arguments())
        for template in templates:
            try:
                self._template(template["name"], None)
            except Broken as error:
                raise type(error)(f"templates.{template['name']} {error}") from error

    def _arguments(self) -> dict[str, str]:
        parameters = (self.spec.get("arguments") or {}).get("parameters") or ()
        return {p["name"]: any_string(p.get("value")) or _UNSUPPLIED for p in parameters}

    def _check_arguments(self) -> None:
        parameters = (self.spec.get("arguments") or {}).get("parameters") or []
        check_names("spec.arguments.parameters", parameters, parameter_name_error)
        if not self.lint and not self.is_template:
            check_values("spec.arguments.", parameters)
        self.known |= {"workflow.parameters." + parameter["name"] for parameter in parameters}
        if parameters:
            self.known |= {"workflow.parameters", "workflow.parameters.json"}
        if self.spec.get("priority") is not None:
            self.known.add("workflow.priority")
        extra = self.spec.get("workflowMetadata") or {}
        for kind in ("annotations", "labels"):
            for source in (self.metadata, extra):
                self.known |= {f"workflow.{kind}.{key}" for key in source.get(kind) or ()}

    def _template(self, name: str, arguments: Mapping[str, str] | None) -> JSON:
        """Check a template as it is called; None for arguments that are assumed to be given."""
        template = self.templates.get(name)
        if template is None:
            raise Broken(f"template name '{name}' undefined")
        policy = (template.get("retryStrategy") or {}).get("retryPolicy") or "OnFailure"
        if policy not in ("Always", "OnError", "OnFailure", "OnTransientError"):
            raise Broken(f"{policy} is not a valid RetryPolicy")
        self._check_type(template)
        scope = self._inputs(template)
        if arguments is not None:
            self._check_supplied(template, arguments)
        if name in self.done:
            return template
        self.done.add(name)
        if template.get("dag") is not None:
            self._dag(template, scope)
        elif template.get("steps") is not None:
            self._steps(template, scope)
        else:
            self._leaf(template, scope)
        self._outputs(template, scope)
        check_metrics(template)
        return template

    def _check_type(self, template: JSON) -> None:
        count = sum(template.get(kind) is not None for kind in _TYPES)
        if count != 1:
            what = "template type unspecified" if not count else "multiple template types specified"
            raise Broken(f"templates.{template['name']} {what}. choose one of: {_TYPE_WORDS}")

    def _inputs(self, template: JSON) -> set[str]:
        parameters = (template.get("inputs") or {}).get("parameters") or []
        check_names(f"templates.{template['name']}.inputs.parameters", parameters, parameter_name_error)
        # Argo puts the inputs in before it looks for tags, also where there are none (ProcessArgs).
        scope = set(self.known) | {"inputs.parameters"}
        scope |= {"inputs.parameters." + parameter["name"] for parameter in parameters}
        if pod_container(template) is not None:
            scope.add("pod.name")
        for parameter in (template.get("outputs") or {}).get("parameters") or ():
            if (parameter.get("valueFrom") or {}).get("path"):
                scope.add(f"outputs.parameters.{parameter.get('name')}.path")
        return scope

    def _check_supplied(self, template: JSON, arguments: Mapping[str, str]) -> None:
        for parameter in (template.get("inputs") or {}).get("parameters") or ():
            given = parameter["name"] in arguments
            if not given and parameter.get("value") is None and parameter.get("default") is None:
                raise Broken(
                    f"templates.{template['name']} inputs.parameters.{parameter['name']} was not supplied"
                )

    def _leaf(self, template: JSON, scope: set[str]) -> None:
        name = template["name"]
        missing = self._unresolved(template, scope)
        if missing is not None:
            raise Unresolved(f"templates.{name}: failed to resolve {{{{{missing}}}}}")
        common = self.spec.get("templateDefaults") or {}
        for kind in ("container", "script"):
            image = (common.get(kind) or {}).get("image")
            if template.get(kind) is not None and not template[kind].get("image") and not image:
                raise Broken(f"templates.{name}.{kind}.image may not be empty")
        deadline = template.get("activeDeadlineSeconds")
        if deadline is not None and not is_count(deadline):
            raise Broken(
                f"templates.{name}.activeDeadlineSeconds must be a positive integer > 0 or an argo variable"
            )
        if template.get("parallelism") is not None:
            raise Broken(f"templates.{name}.parallelism is only valid for steps and dag templates")

    def _outputs(self, template: JSON, scope: set[str]) -> None:
        parameters = (template.get("outputs") or {}).get("parameters") or []
        place = f"templates.{template['name']}.outputs"
        check_names(f"{place}.parameters ", parameters, parameter_name_error)
        missing = self._unresolved(template.get("outputs"), scope)
        if missing is not None:
            raise Unresolved(f"{place} failed to resolve {{{{{missing}}}}}")
        for parameter in parameters:
            self._output(template, parameter, f"{place}.parameters.{parameter['name']}")

    def _unresolved(
        self, value: object, scope: set[str], known: Callable[[str], bool] = nothing_else
    ) -> str | None:
        """The first tag of a value that is not known; who uses a template may declare its parameters."""

        def declared_elsewhere(tag: str) -> bool:
            return (self.is_template and tag.startswith("workflow.parameters")) or known(tag)

        return first_unresolved(value, scope, declared_elsewhere)

    def _output(self, template: JSON, parameter: JSON, path: str) -> None:
        source = parameter.get("valueFrom")
        if source is not None and parameter.get("value") is not None:
            raise Broken(f"{path} has both valueFrom and value specified, choose one")
        if parameter.get("value") is not None:
            return
        if source is None:
            raise Broken(f"{path} does not have valueFrom or value specified")
        sources = ("path", "jqFilter", "jsonPath", "parameter", "expression")
        count = sum(bool(source.get(kind)) for kind in sources) + (source.get("supplied") is not None)
        if count != 1:
            kinds = "path, jqFilter, jsonPath, parameter, raw"
            raise Broken(
                f"multiple valueFrom types specified. choose one of: {kinds}"
                if count
                else f"valueFrom type unspecified. choose one of: {kinds}, expression"
            )
        for kind in ("container", "script"):
            if template.get(kind) is not None and not source.get("path"):
                raise Broken(f"{path}.path must be specified for {kind.capitalize()} templates")
        for kind, words in (("dag", "DAG"), ("steps", "Steps")):
            given = source.get("parameter") or source.get("expression")
            if template.get(kind) is not None and not given:
                raise Broken(f"{path}.parameter or expression must be specified for {words} templates")

    # DAGs.

    def _dag(self, template: JSON, scope: set[str]) -> None:
        name, dag = template["name"], template["dag"]
        if template.get("activeDeadlineSeconds") is not None:
            raise Broken(f"templates.{name}.activeDeadlineSeconds is only valid for leaf templates")
        tasks: list[JSON] = dag.get("tasks") or []
        if not tasks:
            raise Broken(f"templates.{name} must have at least one task")
        by_name = {task.get("name") or "": task for task in tasks}
        depends = {key: depends_of(task, by_name) for key, task in by_name.items()}
        try:
            check_order(tasks, depends)
        except Broken as error:
            raise Broken(f"templates.{name} sorting failed: {error}") from error
        check_names(f"templates.{name}.tasks", tasks, field_name_error)
        self._check_tasks(name, tasks, depends, by_name, scope)
        self._check_targets(name, dag, by_name)
        comes_after = ancestry_of(depends)
        for task in tasks:
            self._check_task(name, task, scope, comes_after, by_name)

    def _check_tasks(
        self,
        name: str,
        tasks: list[JSON],
        depends: Mapping[str, Depends],
        by_name: Mapping[str, JSON],
        scope: set[str],
    ) -> None:
        """What holds for each task by itself; puts the outputs of all of them into the scope."""
        uses_depends = any(task.get("depends") for task in tasks)
        for task in tasks:
            key = task["name"]
            place = f"templates.{name}.tasks.{key}"
            uses_dependencies = bool(task.get("dependencies"))
            if key[0].isdigit() and (uses_depends or uses_dependencies):
                raise Broken(
                    f"{place} name cannot begin with a digit when using either 'depends' or 'dependencies'"
                )
            if uses_depends and uses_dependencies:
                raise Broken(
                    f"templates.{name} cannot use both 'depends' and 'dependencies' in the same DAG template"
                )
            if uses_depends and task.get("continueOn") is not None:
                raise Broken(
                    f"templates.{name} cannot use 'continueOn' when using 'depends'. "
                    "Instead use 'dep-task.Failed'/'dep-task.Errored'"
                )
            called = self._within(place, lambda task=task: self._called(task))  # type: ignore[misc]
            scope |= outputs_of(called, f"tasks.{key}")
            wrong = invalid_result(task.get("depends") or "")
            if wrong is not None:
                raise Broken(f"{place} task result '{wrong[0]}' for task '{wrong[1]}' is invalid")
            for other in depends[key].items:
                if not is_task_group(by_name[other]):
                    raise Broken(
                        f"{place} dependency '{other}' uses an items-based condition such as "
                        ".AnySucceeded or .AllFailed but does not contain any items"
                    )

    def _called(self, task: JSON) -> JSON:
        for field in ("templateRef", "inline"):
            if task.get(field) is not None:
                raise Unresolved(f"{field} is not implemented by the embedded Argo")
        return self._template(task.get("template") or "", None)

    def _within(self, place: str, check: Callable[[], JSON]) -> JSON:
        try:
            return check()
        except Broken as error:
            raise type(error)(f"{place} {error}") from error

    def _check_targets(self, name: str, dag: JSON, by_name: Mapping[str, JSON]) -> None:
        for target in (dag.get("target") or "").split():
            if "{{" not in target and target not in by_name:
                raise Broken(f"templates.{name}.targets: target '{target}' is not defined")

    def _check_task(
        self,
        name: str,
        task: JSON,
        scope: set[str],
        comes_after: Callable[[str, str], bool],
        by_name: Mapping[str, JSON],
    ) -> None:
        place = f"templates.{name}.tasks.{task['name']}"
        items = self._items(task, place)

        def known(tag: str) -> bool:
            if tag in items or (tag.startswith("item.") and "item.*" in items):
                return True
            other, _, rest = tag.removeprefix("tasks.").partition(".")
            if other not in by_name or not comes_after(task["name"], other):
                return False
            # The other outputs of all tasks are in scope already.
            aggregate = by_name[other].get("withItems") or by_name[other].get("withParam")
            return rest == "status" or bool(aggregate and rest == "outputs.parameters")

        missing = self._unresolved(task, scope, known)
        if missing is not None:
            raise Unresolved(f"{place} failed to resolve {{{{{missing}}}}}")
        parameters = (task.get("arguments") or {}).get("parameters") or []
        check_names(f"{place}.arguments.parameters", parameters, parameter_name_error)
        check_values(f"{place}.arguments.", parameters)
        for parameter in parameters:
            value = any_string(parameter.get("value")) or ""
            other = value.split(".")[1] if value.startswith("{{tasks.") else None
            if other is not None and not (other in by_name and comes_after(task["name"], other)):
                raise Broken(f"{place} missing dependency '{other}' for parameter '{parameter['name']}'")
        arguments = {parameter["name"]: "" for parameter in parameters}
        self._within(place, lambda: self._template(task["template"], arguments))

    def _steps(self, template: JSON, scope: set[str]) -> None:
        """validateSteps: what a step may refer to grows from step to step."""
        name = template["name"]
        if template.get("activeDeadlineSeconds") is not None:
            raise Broken(f"templates.{name}.activeDeadlineSeconds is only valid for leaf templates")
        seen: set[str] = set()
        for index, group in enumerate(template["steps"]):
            if not isinstance(group, list):
                raise Broken(f"templates.{name}.steps[{index}] must be a list of steps")
            for step in group:
                self._step(name, f"templates.{name}.steps[{index}]", step, seen, scope)

    def _step(self, template: str, place: str, step: JSON, seen: set[str], scope: set[str]) -> None:
        name = step.get("name") or ""
        if not name:
            raise Broken(f"{place}.name is required")
        if name in seen:
            raise Broken(f"{place}.name '{name}' is not unique")
        error = field_name_error(name)
        if error:
            raise Broken(f"{place}.name '{name}' is invalid: {error}")
        seen.add(name)
        place = f"{place}.{name}"
        scope.add(f"steps.{name}.status")
        items = self._items(step, place)
        parameters = (step.get("arguments") or {}).get("parameters") or []
        check_names(f"{place}.arguments.parameters", parameters, parameter_name_error)
        check_values(f"{place}.arguments.", parameters)
        called = self._within(place, lambda: self._called(step))

        def known(tag: str) -> bool:
            return tag in items or (tag.startswith("item.") and "item.*" in items)

        missing = self._unresolved(step, scope, known)
        if missing is not None:
            raise Unresolved(f"templates.{template}.steps failed to resolve {{{{{missing}}}}}")
        scope |= outputs_of(called, f"steps.{name}")
        if step.get("withItems") or step.get("withParam"):
            scope.add(f"steps.{name}.outputs.parameters")
        arguments = {parameter["name"]: "" for parameter in parameters}
        self._within(place, lambda: self._template(step["template"], arguments))

    def _items(self, task: JSON, place: str) -> set[str]:
        if len(item_fields(task)) > 1:
            raise Broken(f"{place} only one of {', '.join(ITEM_FIELDS)} can be specified")
        if task.get("withParam"):
            return {"item", "item.*"}
        sequence = task.get("withSequence")
        if sequence is not None:
            if sequence.get("count") is not None and sequence.get("end") is not None:
                raise Broken(f"{place} only one of count or end can be defined in withSequence")
            return {"item"}
        known: set[str] = set()
        for item in task.get("withItems") or ():
            known.add("item")
            if isinstance(item, dict):
                known |= {f"item.{key}" for key in item}
        return known
