"""Values for tags: `workflow.*`, and what a template's arguments and the place it runs at provide."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

from metaflow_hera.embedded.expressions.gojson import any_string, dump_structs, dumps
from metaflow_hera.embedded.expressions.variables import Resolve, SubstitutionError, substitute
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.labels import SCHEDULED_TIME

# Those of Argo's util/strftime; it has no others, and L (milliseconds) beside them.
_DATE_LETTERS = "aAbBdHImMpSyYzZ"


class Globals:
    """`workflow.*` (setGlobalParameters in operator.go of Argo)."""

    def __init__(self, workflow: JSON, spec: JSON) -> None:
        metadata = workflow["metadata"]
        self.values: dict[str, str] = {}
        self._set_names(metadata, spec)
        parameters = (spec.get("arguments") or {}).get("parameters") or []
        self._put_list("parameters", dump_structs([_struct(parameter) for parameter in parameters]))
        for parameter in parameters:
            value = any_string(parameter.get("value"))
            if value is not None:
                self.values["workflow.parameters." + parameter["name"]] = value
        self.read_labels(metadata, spec)

    def read_labels(self, metadata: JSON, spec: JSON) -> bool:
        """Set `workflow.labels.*` and `workflow.annotations.*`; returns whether any of them is new."""
        before = dict(self.values)
        extra = spec.get("workflowMetadata") or {}
        for kind in ("labels", "annotations"):
            own = metadata.get(kind) or {}
            self._put_list(kind, dumps(own) if own else "null")
            for key, value in {**own, **(extra.get(kind) or {})}.items():
                self.values[f"workflow.{kind}.{key}"] = value
        return self.values != before

    def _set_names(self, metadata: JSON, spec: JSON) -> None:
        created = metadata.get("creationTimestamp") or ""
        self.values |= {
            "workflow.name": metadata["name"],
            "workflow.namespace": metadata.get("namespace", ""),
            "workflow.mainEntrypoint": spec.get("entrypoint", ""),
            "workflow.serviceAccountName": spec.get("serviceAccountName", ""),
            "workflow.uid": metadata.get("uid", ""),
            "workflow.creationTimestamp": created,
            "workflow.creationTimestamp.RFC3339": created,
        }
        scheduled = (metadata.get("annotations") or {}).get(SCHEDULED_TIME)
        if scheduled is not None:
            self.values["workflow.scheduledTime"] = scheduled
        if spec.get("priority") is not None:
            self.values["workflow.priority"] = str(spec["priority"])
        if created:
            moment = datetime.fromisoformat(created.replace("Z", "+00:00")).astimezone(timezone.utc)
            self.values["workflow.creationTimestamp.s"] = str(int(moment.timestamp()))
            for letter in _DATE_LETTERS:
                self.values[f"workflow.creationTimestamp.{letter}"] = moment.strftime("%" + letter)
            self.values["workflow.creationTimestamp.L"] = ".000"

    def _put_list(self, kind: str, text: str) -> None:
        self.values[f"workflow.{kind}"] = text
        self.values[f"workflow.{kind}.json"] = text

    def resolve(self, tag: str) -> str | None:
        """The value of a tag, or None."""
        return self.values.get(tag)


def _struct(parameter: JSON) -> JSON:
    """A parameter with its fields in the order of Argo's type, and its values as text."""
    shown: JSON = {}
    for field in ("name", "default", "value", "valueFrom", "globalName", "enum", "description"):
        value = parameter.get(field)
        if value is not None and (value != "" or field in ("default", "value")):
            shown[field] = any_string(value) if field in ("default", "value") else value
    return shown


def supply(template: JSON, arguments: Mapping[str, str]) -> JSON:
    """The template with a value for each input (the first half of ProcessArgs in Argo's common/util.go).

    Raises SubstitutionError for an input that has neither argument nor default.
    """
    inputs = (template.get("inputs") or {}).get("parameters")
    if not inputs:
        return template
    supplied: list[JSON] = []
    for parameter in inputs:
        value = arguments.get(parameter["name"])
        if value is None:
            value = any_string(parameter.get("value"))
        if value is None:
            value = any_string(parameter.get("default"))
        if value is None:
            raise SubstitutionError(f"inputs.parameters.{parameter['name']} was not supplied")
        supplied.append({**parameter, "value": value})
    return {**template, "inputs": {**template["inputs"], "parameters": supplied}}


def fill(template: JSON, resolve: Resolve) -> JSON:
    """Replace tags in a supplied template: what `resolve` knows, then the inputs (SubstituteParams)."""
    template = substitute(template, resolve)
    inputs = {
        "inputs.parameters." + parameter["name"]: parameter["value"]
        for parameter in (template.get("inputs") or {}).get("parameters") or ()
    }
    for parameter in (template.get("outputs") or {}).get("parameters") or ():
        path = (parameter.get("valueFrom") or {}).get("path")
        if path:
            inputs[f"outputs.parameters.{parameter['name']}.path"] = path

    def lookup(tag: str) -> str | None:
        if tag == "inputs.parameters":
            parameters = (template.get("inputs") or {}).get("parameters") or []
            return dump_structs([_struct(parameter) for parameter in parameters])
        return inputs.get(tag)

    filled: JSON = substitute(template, lookup)
    return filled
