"""What a task has stored, as the page shows it: asked of the task's own program once, then kept."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from metaflow_hera.embedded.controller.ids import pod_name
from metaflow_hera.embedded.controller.messages import CreatePod
from metaflow_hera.embedded.expressions.variables import SubstitutionError, substitute
from metaflow_hera.embedded.json_object import JSON, count_in
from metaflow_hera.embedded.page.pathspecs import pathspec, task_of
from metaflow_hera.embedded.page.reading import PageReader, attempts_of, inputs_of, spec_of
from metaflow_hera.embedded.page.tasks import ITEM
from metaflow_hera.embedded.pods.containers import pod_of
from metaflow_hera.embedded.pods.results import Unreadable, read_results
from metaflow_hera.embedded.pods.settings import CACHE
from metaflow_hera.embedded.storage.reader import Head

FOLDER = "results"
"""Where the answers are, in the server's home."""
KEPT = 16
"""How many tasks' answers are kept, those asked for last."""
AT_ONCE, WAITING = 2, 6
"""How many processes may read, and how many may wait for that."""


NOTHING = (
    "Nothing is found of what the task has stored, though it succeeded: its datastore was deleted or moved, "
    "or is not there at the moment."
)


class _Kept(NamedTuple):
    """An answer, and the folder with its cards."""

    told: JSON
    folder: Path


class Results:
    """Reads results, from any thread."""

    def __init__(self, reader: PageReader, home: Path, is_closing: Callable[[], bool]) -> None:
        self._reader = reader
        self._home = home
        self._folder = home / FOLDER
        self._is_closing = is_closing
        self._kept: OrderedDict[tuple[str, ...], _Kept] = OrderedDict()
        self._number = 0
        self._lock = threading.Lock()
        self._places = threading.Semaphore(AT_ONCE)
        self._asking = threading.Semaphore(AT_ONCE + WAITING)
        self._busy: dict[tuple[str, ...], threading.Lock] = {}
        shutil.rmtree(self._folder, ignore_errors=True)  # of an earlier server

    def task(self, head: Head, id: str) -> JSON:
        """What the task with the id of its node, and of its item, has stored.

        `note` says why nothing is told, else "".
        """
        try:
            return {**self._answer(head, id).told, "note": ""}
        except Unreadable as error:
            return {"note": str(error)}

    def card(self, head: Head, id: str, number: int) -> bytes | None:
        """The HTML of a card of a task, None if there is no such card."""
        try:
            kept = self._answer(head, id)
            name = str(kept.told["cards"][number]["file"])
            return (kept.folder / "answers" / Path(name).name).read_bytes()
        except (Unreadable, LookupError, TypeError, OSError):  # any manifest may have a program that tells
            return None

    def _answer(self, head: Head, id: str) -> _Kept:
        node_id, _, item = id.partition(ITEM)
        node = self._reader.node(head.uid, node_id)
        task = task_of(node, count_in(item)) if node is not None else None
        place = pathspec(head, task) if task is not None else None
        if node is None or place is None:
            raise Unreadable("No step of a flow runs here.")
        attempts = attempts_of(node, partial(self._reader.node, head.uid))
        ended = (head.finished or node.get("finishedAt")) and attempts
        if not ended:
            raise Unreadable(
                "Results are shown once the task has ended." if attempts else "It has not started."
            )
        key = (head.uid, id, str(node.get("finishedAt")), attempts[-1]["id"])
        with self._one_of(key):
            with self._lock:
                if key in self._kept and self._kept[key].folder.is_dir():  # or it was cleaned away
                    self._kept.move_to_end(key)
                    return self._kept[key]
            return self._keep(key, self._read(head, attempts[-1], place))

    @contextmanager
    def _one_of(self, key: tuple[str, ...]) -> Iterator[None]:
        """Let those who ask for the same wait for one answer, and not too many wait at all."""
        if not self._asking.acquire(blocking=False):
            raise Unreadable("The results of several other tasks are being read: try again in a moment.")
        try:
            with self._lock:
                lock = self._busy.setdefault(key, threading.Lock())
            with lock:
                yield
        finally:
            self._asking.release()
            with self._lock:
                self._busy.pop(key, None)

    def _read(self, head: Head, node: JSON, place: str) -> _Kept:
        pod = self._pod(head, node)
        with self._places:
            with self._lock:
                self._number += 1
                folder = self._folder / str(self._number)
            folder.mkdir(mode=0o700, parents=True)
            try:
                told = read_results(pod, place, folder, str(self._home / CACHE), self._is_closing)
                if told.get("attempt") is None and node.get("phase") == "Succeeded":
                    raise Unreadable(NOTHING)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            for name in ("pod", "tmp"):
                shutil.rmtree(folder / name, ignore_errors=True)
            return _Kept(told, folder)

    def _keep(self, key: tuple[str, ...], kept: _Kept) -> _Kept:
        with self._lock:
            self._kept[key] = kept
            gone = [self._kept.popitem(last=False)[1] for _ in range(len(self._kept) - KEPT)]
        for each in gone:
            shutil.rmtree(each.folder, ignore_errors=True)
        return kept

    def _pod(self, head: Head, node: JSON) -> JSON:
        """The pod of a node, as it was made: what is needed of it is not kept once it has ended."""
        workflow = self._reader.workflow(head, nodes=False)
        templates = {each["name"]: each for each in spec_of(workflow).get("templates") or ()}
        template = templates.get(node.get("templateName", ""))
        if template is None:
            raise Unreadable("The template of this task is not kept.")
        values: dict[str, Any] = {
            "workflow.name": head.name,
            "workflow.namespace": head.namespace,
            "workflow.uid": head.uid,
        }
        for each in self._reader.arguments(head.uid):
            values[f"workflow.parameters.{each['name']}"] = str(each.get("value") or "")
        for input, value in inputs_of(node).items():
            values[f"inputs.parameters.{input}"] = str(value or "")
        # What a pod cannot be given, it has not been given either.
        with contextlib.suppress(SubstitutionError):
            template = substitute(template, values.get)
        name = pod_name(head.name, node["name"], node.get("templateName", ""))
        return pod_of(workflow, CreatePod(node["id"], name, template, None, False))
