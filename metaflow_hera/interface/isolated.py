"""Translating and deploying in a process of its own.

Metaflow keeps the state of one flow for a whole process; a notebook has many. Only plain data goes there and
back, and an error that is raised there is raised here.
"""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaflow_hera.choices.deployment import CreateOptions
from metaflow_hera.errors import FlowError, MetaflowHeraError

if TYPE_CHECKING:
    from metaflow_hera.argo.target import Target
    from metaflow_hera.comparison.records import Difference
    from metaflow_hera.operations.deployment import Created, Prepared
    from metaflow_hera.translation.template import Translation

START = """
import sys
sys.path = [folder for folder in sys.path if folder]
from metaflow_hera.interface.isolated import main
main()
"""
"""What the new process runs. Files of the current folder must not act as modules before the flow loads."""


def translate(script: str, top_level: Sequence[str], options: CreateOptions) -> Translation:
    """What `create` would deploy for a flow's script. Raises UsageError or a subclass of it."""
    from metaflow_hera.argo.target import configured_target
    from metaflow_hera.operations import deployment

    return deployment.export(_prepared(script, top_level, options), configured_target()).objects


def deploy(
    script: str, top_level: Sequence[str], options: CreateOptions
) -> tuple[Created, Target, list[str]]:
    """Deploy a flow's script. Returns what was created, where, and the warnings about it."""
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.target import resolve_target
    from metaflow_hera.operations import deployment

    prepared = _prepared(script, top_level, options)
    target = resolve_target(start=True)
    created = deployment.create(prepared, ArgoClient(target))
    return created, target, deployment.notes(prepared, created, target)


def diff(script: str, top_level: Sequence[str], options: CreateOptions, target: Target) -> Difference:
    """What deploying a flow's script at a target would change. Raises what `deploy` does."""
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.metaflow_api.load.flows import load_flow
    from metaflow_hera.operations import diff

    with diff.prepared_to_compare(load_flow(script, top_level), options) as prepared:
        return diff.diff(prepared, ArgoClient(target))


def stored_files(script: str, top_level: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Values for Parameters, with the files of IncludeFiles stored."""
    from metaflow_hera.metaflow_api.load.files import with_files
    from metaflow_hera.metaflow_api.load.flows import load_flow

    return with_files(load_flow(script, top_level), given)


def call(function: Any, *arguments: Any) -> Any:
    """Call one of the functions above in a new process and return what it returns, or raise what it raises.

    What the flow prints while it is imported goes to this process's stderr.
    """
    with tempfile.TemporaryDirectory(prefix="mfhera-") as folder:
        answer = Path(folder, "answer")
        done = subprocess.run(
            [sys.executable, "-c", START, str(answer)],
            input=pickle.dumps((function.__name__, arguments)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        said = done.stdout.decode("utf-8", "replace").strip()
        if said:
            print(said, file=sys.stderr)
        if not answer.exists():
            raise FlowError(f"The flow cannot be loaded: its process ended with exit code {done.returncode}.")
        result, error = pickle.loads(answer.read_bytes())  # written by the process started above
    if error is not None:
        raise error
    return result


def _prepared(script: str, top_level: Sequence[str], options: CreateOptions) -> Prepared:
    from metaflow_hera.metaflow_api.load.flows import load_flow
    from metaflow_hera.operations import deployment

    return deployment.prepare(load_flow(script, top_level), options)


def main() -> None:
    """What the new process does."""
    answer = Path(sys.argv[1])  # loading a flow changes it
    name, arguments = pickle.load(sys.stdin.buffer)  # written by `call`
    result = error = None
    try:
        # The answer is a file, not a pipe: a flow may print, and may start processes that keep pipes open.
        with contextlib.redirect_stdout(sys.stderr):
            result = globals()[name](*arguments)
    except MetaflowHeraError as found:
        error = type(found)(str(found))
    answer.write_bytes(pickle.dumps((result, error)))
