"""Exports of flows for the tests of the translation: by the command itself, each only once."""

from __future__ import annotations

import atexit
import json
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from harness import Mfhera, clean_environment


def at(folder: Path) -> Mfhera:
    """`mfhera` in a folder, with a home in it; exporting needs no server."""
    return Mfhera(folder, folder, clean_environment(folder))


def without_modules(text: str) -> str:
    """The same without what tells the modules of a code package from others."""
    return re.sub(r"\b[0-9a-f]{16} (?=METAFLOW_HERA_\*)", "<modules> ", text)


@cache
def _folder(flow: str) -> Mfhera:
    """A folder with the flow: where it lies is part of what a manifest says."""
    folder = Path(tempfile.mkdtemp()).resolve()
    atexit.register(shutil.rmtree, folder)
    (folder / ".metaflow").mkdir()  # Metaflow looks for one in all folders above as well
    command = at(folder)
    command.take(flow)
    return command


@cache
def exported(flow: str, *options: str, form: str = "json") -> str:
    """What `mfhera create FLOW --only-...` writes for a flow of tests/flows."""
    command = _folder(flow)
    text = command.ok("create", flow, f"--only-{form}", "--new-token", "token-0", *options)
    return text.replace(str(command.folder), "<folder>")


def objects(text: str) -> list[dict[str, Any]]:
    """The objects in the JSON that was exported."""
    whole = json.loads(text)
    found: list[dict[str, Any]] = whole["items"] if whole["kind"] == "List" else [whole]
    return found


def template(flow: str, *options: str) -> dict[str, Any]:
    """The workflow template of a flow."""
    return objects(exported(flow, *options))[0]


def tasks(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The tasks of all DAGs of a template, by `template/task`."""
    return {
        f"{each['name']}/{task['name']}": task
        for each in manifest["spec"]["templates"]
        if "dag" in each
        for task in each["dag"]["tasks"]
    }


def containers(manifest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The container templates by name."""
    return {each["name"]: each for each in manifest["spec"]["templates"] if "container" in each}
