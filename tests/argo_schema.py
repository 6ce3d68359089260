"""Argo's JSON schema, where it is at hand."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from harness import TESTS
from jsonschema import Draft7Validator

SCHEMA = "shared/argo/argo-workflows-4.1.2.schema.json"
GROUP = "io.argoproj.workflow.v1alpha1"
SENSOR = "github.com.argoproj.argo_events.pkg.apis.events.v1alpha1.Sensor"


@cache
def schema() -> dict[str, Any]:
    """Argo's JSON schema, in which no object may have fields that it does not name."""
    given = os.environ.get("ARGO_SCHEMA")
    candidates = [Path(given)] if given else [folder / SCHEMA for folder in TESTS.parents]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        pytest.skip(f"Argo's JSON schema is not here ({SCHEMA} beside the project, or ARGO_SCHEMA)")
    definitions: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["definitions"]
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
