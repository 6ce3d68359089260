"""What the embedded Argo has on the disk, and removing what nobody needs any more."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from metaflow_hera.embedded.errors import ServerError, Unusable
from metaflow_hera.embedded.kubernetes_time import seconds
from metaflow_hera.embedded.local.launch import LocalServer, direct, stop
from metaflow_hera.embedded.pods.files import remove
from metaflow_hera.embedded.pods.settings import CACHE

PARTS = {
    "database": ("argo.db", "argo.db-wal", "argo.db-shm"),
    "logs": ("pods", "tmp"),
    "cache": (CACHE, "results"),
    "server log": ("server.log", "server.log.1", "server.log.2", "start.log", "keeper.log"),
}
OTHERS = (
    *("token", "webhook", "port", "server.json", "session", "open.html"),
    *("deployments.json", "runs.json", "told.json"),
)
"""What else is in a home besides `PARTS`; `server.lock` stays, since another process may wait for it."""

CACHE_DAYS = 30

REMOVE_SECONDS = 60.0
"""How long the server may take to remove the files of runs that it has deleted."""


class _Run(NamedTuple):
    """A run; `finished` is its end in seconds since the epoch."""

    namespace: str
    name: str
    uid: str
    finished: float | None


@dataclass(frozen=True)
class Part:
    """A part of a home: where it is and how large it is."""

    path: Path
    bytes: int


@dataclass(frozen=True)
class Cleaned:
    """What was removed: how many runs, and how many bytes of disk."""

    runs: int
    bytes: int


def parts(home: Path) -> dict[str, Part]:
    """The parts of a home, by what they hold."""
    return {
        name: Part(home / names[0], sum(_size(home / each) for each in names))
        for name, names in PARTS.items()
    }


def clean(server: LocalServer, older_than: float = 0.0) -> Cleaned:
    """Delete the runs that ended more than `older_than` seconds ago, with their logs; results stay.

    What pods share is removed too if no run is unfinished. Raises ServerError if the server refuses, or
    cannot remove what a run has left.
    """
    before = _sum(server.home)
    latest = time.time() - older_than
    gone = [
        run.uid
        for run in list(_runs(server))
        if run.finished is not None and run.finished <= latest and _forget(server, run)
    ]
    if all(run.finished is not None for run in _runs(server)):
        clear_cache(server.home, latest)
    _wait_until_removed([server.home / "pods" / uid for uid in gone])
    return Cleaned(len(gone), max(0, before - _sum(server.home)))


def remove_everything(server: LocalServer) -> Cleaned:
    """Delete everything: deployments, schedules, runs, logs, tokens. The server is stopped.

    Raises ServerError if a run is unfinished.
    """
    runs = list(_runs(server))
    going = [run.name for run in runs if run.finished is None]
    if going:
        raise ServerError(
            f"Unfinished runs: {len(going)} ({', '.join(going[:3])}{', ...' if len(going) > 3 else ''}). "
            "Wait for them, or end them with mfhera terminate RUN, then clean again."
        )
    home = server.home
    before = _sum(home)
    stop(home)
    for name in (*(each for names in PARTS.values() for each in names), *OTHERS):
        for path in (home / name, *home.glob(f".{name}-*")):  # the latter where its writer was killed
            _remove(path)
    return Cleaned(len(runs), max(0, before - _sum(home)))


def clear_cache(home: Path, before: float) -> None:
    """Remove from the cache what has not changed since a time; it is made again when it is needed."""
    folder = home / CACHE
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(FileNotFoundError):  # another process removes it as well
            if path.lstat().st_mtime <= before:
                _remove(path)


def _remove(path: Path) -> None:
    """Remove a file, a link, or a folder with all that is in it; it need not be there."""
    if path.is_dir() and not path.is_symlink():
        remove(str(path))
    else:
        path.unlink(missing_ok=True)


def _runs(server: LocalServer) -> Iterator[_Run]:
    names = ("metadata.namespace", "metadata.name", "metadata.uid", "status.finishedAt")
    fields = ",".join(f"items.{name}" for name in names)
    for item in _call(server, "GET", f"workflows/?fields={fields}").get("items") or ():
        meta, finished = item["metadata"], item["status"].get("finishedAt")
        yield _Run(meta["namespace"], meta["name"], meta["uid"], seconds(finished) if finished else None)


def _wait_until_removed(folders: Sequence[Path]) -> None:
    """Wait until the server has removed folders. Raises ServerError if it cannot."""
    until = time.monotonic() + REMOVE_SECONDS
    while left := [folder for folder in folders if folder.exists()]:
        if time.monotonic() > until:
            raise ServerError(
                f"The runs are deleted, but {left[0]} is still there: some of its files cannot be removed. "
                "Check who may write there, then remove it yourself."
            )
        time.sleep(0.05)


def _forget(server: LocalServer, run: _Run) -> bool:
    """Delete a run, unless it runs again by now or is already gone."""
    place = "workflows/" + "/".join(urllib.parse.quote(each, safe="") for each in (run.namespace, run.name))
    try:
        if not _call(server, "GET", f"{place}?fields=status.finishedAt")["status"].get("finishedAt"):
            return False
        _call(server, "DELETE", place)
    except ServerError as error:
        if isinstance(error.__cause__, urllib.error.HTTPError) and error.__cause__.code == 404:
            return False
        raise
    return True


def _call(server: LocalServer, method: str, path: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{server.url}/api/v1/{path}", method=method, headers={"Authorization": f"Bearer {server.token}"}
    )
    try:
        with direct().open(request, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except (OSError, ValueError) as error:
        raise ServerError(f"A call to the embedded Argo at {server.url} failed: {error}.") from error


def _sum(home: Path) -> int:
    return sum(part.bytes for part in parts(home).values())


def _size(path: Path) -> int:
    """The bytes of a file, or of all files in a folder; what goes meanwhile does not count."""
    try:
        if not path.is_dir():
            return path.lstat().st_size if path.exists() else 0
        with os.scandir(path) as entries:
            return sum(
                _size(Path(entry))
                if entry.is_dir(follow_symlinks=False)
                else entry.stat(follow_symlinks=False).st_size
                for entry in entries
            )
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}.") from error
