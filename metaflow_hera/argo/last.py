"""The last deployment and the last runs from each folder: what a verb means if no flow or no run is named."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from metaflow_hera.argo.target import Target
from metaflow_hera.contract.objects import NOT_JSON
from metaflow_hera.errors import ConfigurationError
from metaflow_hera.home import home_folder, make_home
from metaflow_hera.private_files import save_private

if TYPE_CHECKING:
    from metaflow_hera.argo.run import Run

EMBEDDED = "embedded"
DEPLOYMENTS, RUNS = "deployments.json", "runs.json"
WHAT = {DEPLOYMENTS: ("what was deployed", "the flow"), RUNS: ("which run was started", "the run")}
"""What each file notes of a folder, and what to name where it cannot."""
LIMIT = 1000
"""How many notes are kept in a file."""
_OF = "//"
"""Between a folder and a deployment in the key of a note: no folder's own name has it."""


@dataclass(frozen=True)
class _Note:
    """What is noted of something at a server: its address, or EMBEDDED."""

    server: str

    def is_at(self, target: Target) -> bool:
        """Whether a target is the server it is at; the embedded one is, whatever its port."""
        return self.server == _server(target)


N = TypeVar("N", bound=_Note)


@dataclass(frozen=True)
class LastDeployment(_Note):
    """A deployment, by the name of its template.

    It was deployed from the folder, or a run of it was started from there.
    """

    name: str
    flow: str

    @property
    def elsewhere(self) -> str:
        """What to say if another server is in use."""
        return (
            f"{self.flow} was last deployed from this folder to another server ({self.server}): "
            "set ARGO_SERVER as it was then, or name the flow."
        )


@dataclass(frozen=True)
class LastRun(_Note):
    """A run, by its id."""

    run_id: str

    @property
    def elsewhere(self) -> str:
        """What to say if another server is in use."""
        return (
            f"The last run from this folder, {self.run_id}, is at another server ({self.server}): "
            "set ARGO_SERVER as it was then, or name a run."
        )


def noted(name: str, flow: str, target: Target) -> LastDeployment:
    """What is remembered of a deployment at a target."""
    return LastDeployment(name=name, flow=flow, server=_server(target))


def _server(target: Target) -> str:
    return EMBEDDED if target.embedded else target.host


def remember(deployment: LastDeployment) -> list[str]:
    """Note a deployment as the last one from the current folder; what to say where that is not possible.

    It is deployed, whether it can be noted or not.
    """
    return _note(DEPLOYMENTS, asdict(deployment), None)


def recall() -> LastDeployment | None:
    """The last deployment from the current folder, or None. Raises ConfigurationError: nobody can tell."""
    return _noted(LastDeployment, DEPLOYMENTS, _here())


def remember_run(run: Run, target: Target, deployment: LastDeployment | None = None) -> list[str]:
    """Note a run, which has just started from the current folder, as the last one, and its deployment.

    Returns what to say where that is not possible. The run goes on whether it can be noted or not.
    """
    note = asdict(LastRun(run_id=run.run_id, server=_server(target)))
    said = _note(RUNS, note, None, run.deployment)
    return remember(deployment) if deployment is not None and not said else said


def recall_run(deployment: str | None = None) -> LastRun | None:
    """The last run, of any or of one deployment, that was started from the current folder, or None.

    Raises what `recall` raises.
    """
    return _noted(LastRun, RUNS, _here(deployment))


def _here(deployment: str | None = None) -> str:
    """The key of a note for the current folder, or for one deployment there."""
    folder = os.path.realpath(os.getcwd())
    return folder if deployment is None else f"{folder}{_OF}{deployment}"


def _note(name: str, note: dict[str, str], *deployments: str | None) -> list[str]:
    """Note something of the current folder, or of deployments there; what to say if that is impossible."""
    try:
        _keep(name, note, [_here(each) for each in deployments])
    except (OSError, ConfigurationError) as error:
        reason = str(getattr(error, "strerror", None) or error).rstrip(".")
        what = WHAT[name][0].capitalize()
        return [f"{what} from this folder could not be noted ({reason}): name {WHAT[name][1]} from now on."]
    return []


def _keep(name: str, note: dict[str, str], keys: Sequence[str]) -> None:
    """Keep a note under some keys in a file of the home."""
    home = make_home()
    try:
        notes = _read(name)
    except ConfigurationError:  # it is replaced
        notes = {}
    for key in keys:
        notes.pop(key, None)
        notes[key] = note
    if len(notes) > LIMIT:  # those of pods' folders go first: they are gone with their pods
        notes = {key: each for key, each in notes.items() if os.path.isdir(key.partition(_OF)[0])}
    kept = dict(list(notes.items())[-LIMIT:])
    save_private(home / name, json.dumps(kept).encode())


def _noted(kind: type[N], name: str, key: str) -> N | None:
    note = _read(name).get(key)
    try:
        return None if note is None else kind(**note)
    except TypeError:  # not a note that this version knows
        return None


def _read(name: str) -> dict[str, dict[str, str]]:
    path = home_folder() / name
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, *NOT_JSON) as error:
        raise _unreadable(path, str(error)) from error
    if not isinstance(notes, dict) or not all(isinstance(note, dict) for note in notes.values()):
        raise _unreadable(path, "it holds something else")
    return notes


def _unreadable(path: Path, reason: str) -> ConfigurationError:
    what, name = WHAT[path.name]
    return ConfigurationError(
        f"{path}, the note of {what} from each folder, cannot be read ({reason}): delete it, or name {name}."
    )
