"""Versions of deployments in tests: what `create` deploys for a flow that is loaded, without the loading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from exports import export

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.deployments import described
from metaflow_hera.metaflow_api.read.history_store import HistoryPlace
from metaflow_hera.operations.history import History, history_at
from metaflow_hera.operations.plan import sensor_of
from metaflow_hera.operations.present import read_living
from metaflow_hera.operations.releasing import Draft, Reason, Released, draft, release_in_turn
from metaflow_hera.operations.versions import Versions

JSON = dict[str, Any]
CODE = "<metaflow-code-package>"


def objects_of(folder: Path, flow: str, code: str = "one", **replaced: str) -> list[JSON]:
    """The objects of a flow of tests/golden, with a code package in the datastore of a folder."""
    found = export(flow, **{CODE: CODE, **replaced})
    about = described(found[0])
    sha = (code.encode().hex() + "0" * 40)[:40]
    package = folder / ".metaflow" / about.flow / "data" / sha[:2] / sha
    package.parent.mkdir(parents=True, exist_ok=True)
    package.write_text(code)
    text = json.dumps(found).replace(json.dumps(CODE), json.dumps(str(package)))
    again: list[JSON] = json.loads(text)
    return again


def history_in(folder: Path, objects: list[JSON], client: ArgoClient) -> History:
    """The history of a deployment in the datastore of a folder."""
    about = described(objects[0])
    return history_at(HistoryPlace("local", str(folder / ".metaflow"), about.flow, about.name), client.target)


def create(client: ArgoClient, folder: Path, objects: list[JSON], message: str | None = None) -> Released:
    """Deploy objects as a new version."""

    def attempt() -> tuple[History, Draft]:
        history = history_in(folder, objects, client)
        present = read_living(client, described(objects[0]).name, sensor_of(objects))
        return history, draft(history, present, objects, Reason(message=message))

    return release_in_turn(client, attempt)


def told(versions: Versions) -> list[tuple[int | None, bool, str, int | None]]:
    """What is told of each version: its number, whether it is live, what made it, what it went back to."""
    return [(each.number, each.live, each.kind, each.to) for each in versions.versions]
