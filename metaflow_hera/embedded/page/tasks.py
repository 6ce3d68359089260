"""The tasks of a run, one by one: the state of each, its attempts and its pods."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice

from metaflow_hera.embedded.controller.ids import pod_name
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.kubernetes_time import seconds
from metaflow_hera.embedded.page.drawing import Span
from metaflow_hera.embedded.page.pathspecs import task_of
from metaflow_hera.embedded.page.places import Places, places_of
from metaflow_hera.embedded.page.progress import phase_in
from metaflow_hera.embedded.page.ranges import FAILED, items_of, told
from metaflow_hera.embedded.page.reading import TEXT, PageReader, RangeRow, attempts_of
from metaflow_hera.embedded.storage.reader import Head

ITEM = ":"
"""Between the id of a node and the item of one of the tasks that share its pods."""
FAILURES = 20
ORDER = {"Failed": 0, "Error": 0, "Running": 1, "Pending": 2}
"""The phases that a list of tasks begins with."""


class Tasks:
    """Tells of the tasks of runs."""

    def __init__(self, reader: PageReader) -> None:
        self._reader = reader

    def failures(self, head: Head, places: Places) -> list[JSON]:
        """The tasks that failed, or the first of many."""
        nodes = self._reader.failed(head.uid, FAILURES)
        tasks = (task for node in nodes for task in self._tasks_of(head, node, places))
        return list(islice((task for task in tasks if task["phase"] in FAILED), FAILURES))

    def page(self, head: Head, path: str, offset: int, limit: int) -> JSON:
        """A page of the tasks of one place: those that failed come first, then those that run."""
        places = places_of(head, self._reader)
        name = path.rpartition("/")[2]
        found = [
            row
            for row in self._reader.tasks(head.uid, places.task_name(path, name))
            if places.path(row.boundary, row.display.partition("(")[0]) == path
        ]
        found.sort(key=lambda row: (ORDER.get(row.phase, 3), places.order(row.boundary, row.display)))
        shared = [
            row
            for row in self._reader.ranges(head.uid)
            if items_of(row.node) is not None
            and places.path(row.boundary, row.display.partition("(")[0]) == path
        ]
        if shared:
            return self._listed(head, shared, offset, limit, places)
        nodes = (self._reader.node(head.uid, row.id) for row in found[offset : offset + limit])
        return {
            "total": len(found),
            "offset": offset,
            "tasks": [self._task(head, node, places) for node in nodes if node is not None],
        }

    def _listed(self, head: Head, shared: list[RangeRow], offset: int, limit: int, places: Places) -> JSON:
        """A page of tasks that share pods, in the same order as others."""
        rows: list[tuple[int, list[int], int, RangeRow]] = []
        for row in shared:
            items = items_of(row.node) or range(1)
            found = told(items, phase_in(head, row.phase), row.pods, "")
            around = places.order(row.boundary, "")
            rows += [
                (ORDER.get(phase, 3), [*around, item], item, row) for item, phase, _ in found.tasks(items)
            ]
        rows.sort(key=lambda each: each[:2])
        chosen = rows[offset : offset + limit]
        made = {
            id: {task["id"]: task for task in self._tasks_of(head, node, places)}
            for id, node in {row.node["id"]: row.node for _, _, _, row in chosen}.items()
        }
        tasks = [made[row.node["id"]].get(f"{row.node['id']}{ITEM}{item}") for _, _, item, row in chosen]
        return {"total": len(rows), "offset": offset, "tasks": [task for task in tasks if task]}

    def task(self, head: Head, id: str) -> JSON | None:
        """One task, by the id of its node."""
        node = self._reader.node(head.uid, id.partition(ITEM)[0])
        if node is None:
            return None
        return next(
            (task for task in self._tasks_of(head, node, places_of(head, self._reader)) if task["id"] == id),
            None,
        )

    def _tasks_of(self, head: Head, node: JSON, places: Places) -> Iterator[JSON]:
        """The task of a node, or each of those that share its pods."""
        whole, items = self._task(head, node, places), items_of(node)
        if items is None:
            yield whole
            return
        pods = attempts_of(node, partial(self._reader.node, head.uid))
        name = node["displayName"].partition("(")[0]
        for item, phase, message in told(items, whole["phase"], pods, whole["message"]).tasks(items):
            task = task_of(node, item)
            label = task.name if task else places.label(node.get("boundaryID"), f"{name}({item})")
            yield {
                **whole,
                "id": f"{node['id']}{ITEM}{item}",
                "label": label[:TEXT],
                "phase": phase,
                "message": message[:TEXT],
                "attempts": [],  # of its pod alone it is known when it ran
            }

    def _task(self, head: Head, node: JSON, places: Places) -> JSON:
        """A task with its attempts: the pods that have a log."""
        attempts = attempts_of(node, partial(self._reader.node, head.uid))
        last = attempts[-1] if attempts else node
        phase = phase_in(head, node.get("phase") or "Pending")
        task = task_of(node)
        label = task.name if task else places.label(node.get("boundaryID"), node["displayName"])
        return {
            "id": node["id"],
            "path": places.path(node.get("boundaryID"), node["displayName"].partition("(")[0]),
            "label": label[:TEXT],
            "phase": phase,
            "message": str(last.get("message") or node.get("message") or "")[:TEXT],
            "attempts": [self._attempt(head, each).shown() for each in attempts],
            "pods": [
                {
                    "name": pod_name(head.name, each["name"], each.get("templateName", "")),
                    "phase": each.get("phase") or "Pending",
                }
                for each in attempts
            ],
        }

    def _attempt(self, head: Head, pod: JSON) -> Span:
        made, started = self._reader.times(head.uid, pod["id"])
        ended = seconds(pod["finishedAt"]) if pod.get("finishedAt") else head.finished
        return Span(made, started, ended, phase_in(head, pod.get("phase") or "Pending"))
