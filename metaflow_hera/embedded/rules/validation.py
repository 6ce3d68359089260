"""What `create` and `lint` check: Argo's own rules in Argo's own words, then what is not implemented here.

The rules are those of workflow/validate/validate.go of Argo Workflows 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metaflow_hera.embedded.errors import Refused
from metaflow_hera.embedded.expressions.gojson import any_string
from metaflow_hera.embedded.expressions.language import (
    ExpressionError,
    UnsupportedExpression,
    compile_expression,
)
from metaflow_hera.embedded.expressions.variables import tags
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.rules.checks import Broken, Unresolved
from metaflow_hera.embedded.rules.field_types import WrongType, without_unknown
from metaflow_hera.embedded.rules.implemented_fields import WHY_NOT, not_implemented
from metaflow_hera.embedded.rules.mutexes import check_mutexes
from metaflow_hera.embedded.rules.quantities import parse_quantity
from metaflow_hera.embedded.rules.spec import Validator

Templates = Mapping[str, JSON]

NOT_FOUND, INVALID, LINT = (404, 5), (400, 3), (500, 2)


class Invalid(Refused):
    """An object that the server refuses, with what it answers: HTTP status, gRPC code and message."""

    def __init__(self, message: str, answer: tuple[int, int] = INVALID) -> None:
        super().__init__(message)
        self.status, self.code = answer
        self.message = message


def validate_workflow(obj: JSON, templates: Templates | None = None, *, lint: bool = False) -> None:
    """Check a Workflow as `create` does, or as `lint` does.

    `templates` are the existing WorkflowTemplates, by name. Raises Invalid.
    """
    try:
        spec = _resolved_spec(obj.get("spec") or {}, templates or {})
        _check(spec, obj.get("metadata") or {}, lint=lint, is_template=False)
    except Broken as error:
        raise Invalid(str(error), LINT if lint else INVALID) from error


def validate_template(obj: JSON, *, lint: bool = False) -> None:
    """Check a WorkflowTemplate as `create` does, or as `lint` does. Raises Invalid."""
    spec = obj.get("spec") or {}
    try:
        _check(spec, obj.get("metadata") or {}, lint=lint, is_template=True)
    except Broken as error:
        raise Invalid(str(error), LINT if lint else INVALID) from error


def check_workflow_rules(obj: JSON) -> None:
    """Check a WorkflowTemplate by Argo's rules alone, even if this server cannot run it. Raises Invalid."""
    try:
        Validator(obj.get("spec") or {}, obj.get("metadata") or {}, lint=True, is_template=True).check()
    except Broken as error:
        raise Invalid(str(error), LINT) from error


def normalise(obj: JSON) -> JSON:
    """The object as Argo's server returns it: without unknown fields, with what Go always writes."""
    normal = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind")}
    normal.setdefault("metadata", {})
    try:
        without_unknown(normal["metadata"], "ObjectMeta", "metadata")
        spec = _plain(without_unknown(obj.get("spec") or {}, "WorkflowSpec"))
    except WrongType as error:
        raise Invalid(str(error)) from error
    spec["arguments"] = spec.get("arguments") or {}
    if "templates" in spec:
        spec["templates"] = [_normal_template(template) for template in spec["templates"]]
    normal["spec"] = spec
    return normal


def _normal_template(template: JSON) -> JSON:
    normal = dict(template)
    for field in ("inputs", "outputs", "metadata"):
        normal[field] = normal.get(field) or {}
    for kind in ("container", "script"):
        if kind in normal:
            normal[kind] = {"name": "", "resources": {}, **normal[kind]}
    if "dag" in normal:
        tasks = [{"arguments": {}, **task} for task in normal["dag"].get("tasks") or ()]
        normal["dag"] = {**normal["dag"], "tasks": tasks}
    if "steps" in normal:
        normal["steps"] = [[{"arguments": {}, **step} for step in group] for group in normal["steps"]]
    return normal


def _plain(value: Any) -> Any:
    """A deep copy in which every parameter's value is a string, as Argo keeps it."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {key: _plain(item) for key, item in value.items()}
    for parameter in plain.get("parameters") or () if isinstance(plain.get("parameters"), list) else ():
        if isinstance(parameter, dict):
            for field in ("value", "default"):
                if parameter.get(field) is not None:
                    parameter[field] = any_string(parameter[field])
            source = parameter.get("valueFrom")
            if isinstance(source, dict) and source.get("default") is not None:
                source["default"] = any_string(source["default"])
    return plain


def _resolved_spec(spec: JSON, templates: Templates) -> JSON:
    """The spec with that of the template it refers to, the workflow's own values first."""
    reference = spec.get("workflowTemplateRef")
    if reference is None:
        return spec
    if path := next(not_implemented(reference, "WorkflowTemplateRef", "spec.workflowTemplateRef"), None):
        raise Broken(f"{path} is not implemented by the embedded Argo")
    name = reference.get("name")
    if not name:
        raise Broken("resource name may not be empty")
    if spec.get("templates"):
        raise Broken("Templates is invalid field in spec if workflow referred WorkflowTemplate reference")
    if name not in templates:
        raise Invalid(f'workflowtemplates.argoproj.io "{name}" not found', NOT_FOUND)
    return merge_specs(spec, templates[name].get("spec") or {})


def merge_specs(spec: JSON, template: JSON) -> JSON:
    """A workflow's spec over that of the WorkflowTemplate it refers to (storedWorkflowTemplateSpec)."""
    merged = {**template, **{key: value for key, value in spec.items() if key != "arguments"}}
    own = {each["name"]: each for each in (spec.get("arguments") or {}).get("parameters") or ()}
    theirs = {each["name"]: each for each in (template.get("arguments") or {}).get("parameters") or ()}
    parameters = [{**each, **own.get(name, {})} for name, each in theirs.items()]
    parameters += [each for name, each in own.items() if name not in theirs]
    merged["arguments"] = {"parameters": parameters} if parameters else {}
    return merged


def _check(spec: JSON, metadata: JSON, *, lint: bool, is_template: bool) -> None:
    """Raise Broken for what Argo refuses, or else for a field that the embedded Argo does not implement.

    What such a field would resolve is no fault of the workflow.
    """
    path = next(not_implemented(spec, "WorkflowSpec", "spec"), None)
    try:
        Validator(spec, metadata, lint=lint, is_template=is_template).check()
    except Unresolved:
        if path is None:
            raise
    if path is not None:
        why = WHY_NOT.get(path.rpartition(".")[2])
        raise Broken(f"{path} is not implemented by the embedded Argo{f': {why}' if why else ''}")
    _refuse_expressions(spec)
    _refuse_rest(spec)
    check_mutexes(spec)


def _refuse_expressions(spec: JSON) -> None:
    for template in spec.get("templates") or ():
        place = f"templates.{template.get('name')}"
        sources = [tag[1:] for tag in tags(template) if tag.startswith("=")]
        holders = [template.get("retryStrategy") or {}]
        for parameter in (template.get("outputs") or {}).get("parameters") or ():
            holders.append(parameter.get("valueFrom") or {})
        sources += [holder["expression"] for holder in holders if holder.get("expression")]
        for source in sources:
            try:
                compile_expression(source)
            except UnsupportedExpression as error:
                raise Broken(f"{place}: {error}") from error
            except ExpressionError as error:
                if "{{" not in source:  # what stands there in place of a tag is not known yet
                    raise Broken(f"{place}: failed to evaluate expression: {error}") from error


def _refuse_rest(whole: JSON) -> None:
    """Refuse what no field says by its name: images without a command, limits that cannot be read."""
    common = whole.get("templateDefaults") or {}
    for template in whole.get("templates") or ():
        place = f"templates.{template['name']}"
        for kind in ("container", "script"):
            merged = {**(common.get(kind) or {}), **(template.get(kind) or {})}
            if template.get(kind) is not None and not merged.get("command"):
                raise Broken(f"{place}.{kind}.command is required: the embedded Argo does not read images")
            _check_limits(merged, f"{place}.{kind}.resources.limits")


def _check_limits(container: JSON, place: str) -> None:
    for name, quantity in ((container.get("resources") or {}).get("limits") or {}).items():
        try:
            if parse_quantity(quantity) < 0:
                raise ValueError("must be greater than or equal to 0")
        except ValueError as error:
            raise Broken(f"{place}.{name}: {error}") from error
