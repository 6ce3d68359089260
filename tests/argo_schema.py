"""Argo's JSON schema, of which an extract lies beside the script that reads it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from harness import TESTS
from jsonschema import Draft7Validator

SCHEMA = TESTS.parent / "scripts" / "argo-workflows-4.1.2.schema.json"
GROUP = "io.argoproj.workflow.v1alpha1"
SENSOR = "github.com.argoproj.argo_events.pkg.apis.events.v1alpha1.Sensor"


@cache
def schema() -> dict[str, Any]:
    """Argo's JSON schema, in which no object may have fields that it does not name."""
    definitions: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))["definitions"]
    for definition in definitions.values():
        if "properties" in definition:
            definition.setdefault("additionalProperties", False)
    return definitions


def faults(item: dict[str, Any]) -> list[str]:
    """What is wrong with an object by the schema."""
    name = f"{GROUP}.{item['kind']}"
    if item["kind"] == "Sensor":  # described as a part of requests, which do not say what it is
        name, item = SENSOR, {key: value for key, value in item.items() if key not in ("apiVersion", "kind")}
    root = {"$ref": f"#/definitions/{name}", "definitions": schema()}
    return [f"{error.json_path}: {error.message}" for error in Draft7Validator(root).iter_errors(item)]
