"""Argo's JSON schema, where it is at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from harness import TESTS

SCHEMA = "shared/argo/argo-workflows-4.1.2.schema.json"
GROUP = "io.argoproj.workflow.v1alpha1"


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
