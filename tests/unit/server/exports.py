"""Deployments for the tests with a server: what `create` writes for the flows of tests/golden."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from harness import TESTS

from metaflow_hera.translation import writing

JSON = dict[str, Any]


def export(flow: str, **replaced: str) -> list[JSON]:
    """The objects of an export in tests/golden, with some texts in the place of others wherever they are."""
    text = _text(flow)
    for old, new in replaced.items():
        text = text.replace(json.dumps(old), json.dumps(new))
    found: list[JSON] = json.loads(text)
    return found


@cache
def _text(flow: str) -> str:
    """The objects as JSON, which takes a fraction of the time to read."""
    return json.dumps(writing.read((TESTS / "golden" / f"{flow}.yaml").read_text()))


def of_kind(objects: list[JSON], kind: str) -> list[JSON]:
    """The objects of a kind."""
    return [item for item in objects if item["kind"] == kind]
