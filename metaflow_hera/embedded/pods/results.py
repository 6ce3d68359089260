"""Asking a pod's program for what its task has stored, in a process beside the pods.

The server itself reads nothing of a user's data. A pod's program that knows how to tell it says so by the
annotation `RESULTS`, and is started as for its task, with the same interpreter and environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from metaflow_hera.embedded.json_object import JSON, NOT_JSON
from metaflow_hera.embedded.pods.containers import CannotStart, base_environment, process

RESULTS = "embedded-argo/results"
"""The annotation of pods whose program tells what their task has stored.

It names a variable. Where that is set, to JSON with `pathspec` (which task) and `folder`, the program writes
`results.json` and the cards that this names into the folder, and runs no task.
"""

FILE = "results.json"
SECONDS = 60.0
"""How long it may take."""
PAUSE = 0.05
"""Seconds between two looks at whether it has ended."""
ANSWER_BYTES = 4_000_000
LISTS = ("artifacts", "cards")
"""What an answer has."""


class Unreadable(Exception):
    """There is no answer; the message says why."""


def read_results(pod: JSON, pathspec: str, folder: Path, cache: str, is_closing: Callable[[], bool]) -> JSON:
    """What a task has stored, as its pod's program tells it; its cards are in `folder` afterwards.

    Args:
        pod: the pod of the task, see `containers.pod_of`.
        pathspec: the task.
        folder: an empty folder, which is left for the caller to remove.
        cache: the folder that pods share.
        is_closing: whether the server ends, and waits for nothing more.

    Raises:
        Unreadable: the program does not say, fails, or takes too long.
    """
    variable = (pod.get("annotations") or {}).get(RESULTS)
    if not variable:
        raise Unreadable("This version of the flow cannot tell its results here. Deploy it again.")
    work, temporary, answers = folder / "pod", folder / "tmp", folder / "answers"
    for each in (work, temporary, answers):
        each.mkdir(mode=0o700)
    try:
        what = process(pod, str(work), str(temporary), base_environment(os.environ), cache)
    except CannotStart as error:
        raise Unreadable(f"The task's program cannot be started: {error}") from error
    for path in what.volumes:
        os.makedirs(path, mode=0o700, exist_ok=True)
    request = json.dumps({"pathspec": pathspec, "folder": str(answers)})
    log = folder / "log"
    with open(log, "wb") as output:
        started = subprocess.Popen(
            what.argv,
            env={**what.env, str(variable): request},
            cwd=what.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            code = _wait(started, is_closing)
        finally:
            with contextlib.suppress(ProcessLookupError):  # it, or what it has started
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()
    try:
        with open(answers / FILE, "rb") as file:
            text = file.read(ANSWER_BYTES + 1)
        found = json.loads(text) if len(text) <= ANSWER_BYTES else None
    except (OSError, *NOT_JSON):
        found = None
    if not (isinstance(found, dict) and all(isinstance(found.get(each), list) for each in LISTS)):
        raise Unreadable(f"The task's program did not tell its results (exit code {code}): {_last_line(log)}")
    return found


def _wait(started: subprocess.Popen[bytes], is_closing: Callable[[], bool]) -> int:
    end = time.monotonic() + SECONDS
    while (code := started.poll()) is None:
        if is_closing():
            raise Unreadable("The server ends.")
        if time.monotonic() > end:
            raise Unreadable(f"The task's program did not tell its results within {SECONDS:.0f} seconds.")
        time.sleep(PAUSE)
    return code


def _last_line(log: Path) -> str:
    with open(log, "rb") as file:
        file.seek(max(0, os.path.getsize(log) - 2_000))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
