"""A run as the page shows it: a line for each place in its templates, however many tasks are there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, islice

from metaflow_hera.embedded.controller.ids import pod_name
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.kubernetes_time import seconds
from metaflow_hera.embedded.labels import TEMPLATE_LABEL
from metaflow_hera.embedded.page.outline import CHOICE, ITERATIONS, Place, outline
from metaflow_hera.embedded.page.parameters import given
from metaflow_hera.embedded.page.ranges import FAILED, items_of, length, told
from metaflow_hera.embedded.page.reading import TEXT, Container, PageReader, RangeRow, attempts_of
from metaflow_hera.embedded.storage.reader import Head

BARS = 6
"""A place with more tasks than this is drawn as how many ran at a time."""

BINS = 60
ITEM = ":"
"""Between the id of a node and the item of one of the tasks that share its pods."""
FAILURES = 20
OUTLINES = 32
TITLE = "workflows.argoproj.io/title"
ORDER = {"Failed": 0, "Error": 0, "Running": 1, "Pending": 2}
"""The phases that a list of tasks begins with."""


@dataclass
class Group:
    """The tasks of one place."""

    place: Place
    phases: dict[str, int] = field(default_factory=dict)
    expected: int = 0
    spans: list[tuple[float, float | None, str, int]] = field(default_factory=list)
    choices: dict[str, int] = field(default_factory=dict)
    iterations: int = 0

    def shown(self, depth: int, parent: bool, now: float) -> JSON:
        """As the page gets it."""
        total = sum(self.phases.values())
        starts = [start for start, _, _, _ in self.spans]
        ends = [end for _, end, _, _ in self.spans]
        return {
            "path": self.place.path,
            "label": self.place.label[:TEXT],
            "depth": depth,
            "parent": parent,
            "foreach": self.place.foreach or total > 1,
            "phases": self.phases,
            **({"choices": self.choices} if self.choices else {}),
            **({"iterations": self.iterations} if self.iterations else {}),
            "total": max(total, self.expected),
            "started": min(starts, default=None),
            "finished": None if None in ends else max((end for end in ends if end), default=None),
            **self._drawing(now),
        }

    def _drawing(self, now: float) -> JSON:
        """Its bars, or how many of its tasks ran in each part of its duration."""
        if sum(count for *_, count in self.spans) <= BARS:
            return {"bars": [[start, end, phase] for start, end, phase, n in self.spans for _ in range(n)]}
        first = min(start for start, *_ in self.spans)
        last = max(now if end is None else end for _, end, *_ in self.spans)
        width = max(last - first, 1.0) / BINS
        changes = [0] * (BINS + 1)
        for start, end, _, count in self.spans:
            begin = min(BINS - 1, int((start - first) / width))
            changes[begin] += count
            stop = int(((now if end is None else end) - first) / width)
            changes[max(begin + 1, min(BINS, stop))] -= count
        return {"bins": list(accumulate(changes[:BINS])), "binned": [first, last]}


class Summaries:
    """Makes summaries. It keeps the outlines of a few runs, since reading the templates takes longest."""

    def __init__(self, reader: PageReader) -> None:
        self._reader = reader
        self._outlines: dict[str, list[Place]] = {}

    def run(self, head: Head) -> JSON:
        """One line about a run."""
        status, metadata = json.loads(head.status), json.loads(head.metadata)
        finished = head.finished
        return {
            "uid": head.uid,
            "namespace": head.namespace,
            "name": head.name,
            "title": str((metadata.get("annotations") or {}).get(TITLE) or "")[:TEXT],
            "template": head.labels.get(TEMPLATE_LABEL) or "",
            "phase": status.get("phase") or "Pending",
            "created": head.created,
            "started": seconds(status["startedAt"]) if status.get("startedAt") else head.created,
            "finished": finished,
            "message": str(status.get("message") or "")[:TEXT],
            "progress": status.get("progress") or "",
            "waits": finished is None and self._reader.waits(head.uid),
        }

    def whole(self, head: Head, now: float) -> JSON:
        """A run with its groups and its failures."""
        containers = {each.id: each for each in self._reader.containers(head.uid)}
        groups = {place.path: Group(place) for place in self._outline(head)}
        places = Places(head.name, containers)
        for alike in self._reader.alike(head.uid):
            if places.is_root(alike.boundary, alike.name):
                continue  # the run itself stands for it
            group = _group(groups, places.path(alike.boundary, alike.name))
            phase = _phase(head, alike.phase)
            group.phases[phase] = group.phases.get(phase, 0) + alike.count
            if alike.started is not None and phase not in ("Skipped", "Omitted", "Pending"):
                end = seconds(alike.finished) if alike.finished else head.finished
                group.spans.append((alike.started, end, phase, alike.count))
        for row in self._reader.ranges(head.uid):
            name = row.display.partition("(")[0]
            self._count_range(head, row, _group(groups, places.path(row.boundary, name)))
        if any(group.place.chooses for group in groups.values()):
            for boundary, name, output, value, count in self._reader.choices(head.uid, CHOICE, ITERATIONS):
                group = _group(groups, places.path(boundary, name))
                if output == CHOICE:
                    group.choices[value] = group.choices.get(value, 0) + count
                elif value.isdecimal():
                    group.iterations += int(value) * count
        _expect(groups, containers, places)
        return {
            "run": self.run(head),
            "parameters": given(self._reader.arguments(head.uid)),
            "groups": list(_ordered(groups, now)),
            "failures": list(islice(self._failures(head, places), FAILURES)),
            "now": now,
        }

    def _count_range(self, head: Head, row: RangeRow, group: Group) -> None:
        """Count what one pod runs; it is drawn as that pod, which runs one task at a time."""
        phase, items = _phase(head, row.phase), items_of(row.node)
        phases = {phase: 1} if items is None else told(items, phase, row.pods, "").phases
        for each, count in phases.items():
            group.phases[each] = group.phases.get(each, 0) + count
        if row.started is not None and phase not in ("Skipped", "Omitted", "Pending"):
            end = seconds(row.finished) if row.finished else head.finished
            group.spans.append((row.started, end, phase, 1))

    def _failures(self, head: Head, places: Places) -> Iterator[JSON]:
        for node in self._reader.failed(head.uid, FAILURES):
            for task in self._tasks_of(head, node, places):
                if task["phase"] in FAILED:
                    yield task

    def tasks(self, head: Head, path: str, offset: int, limit: int) -> JSON:
        """A page of the tasks of one place: those that failed come first, then those that run."""
        places = self._places(head)
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
            found = told(items, _phase(head, row.phase), row.pods, "")
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
            (task for task in self._tasks_of(head, node, self._places(head)) if task["id"] == id), None
        )

    def _places(self, head: Head) -> Places:
        return Places(head.name, {each.id: each for each in self._reader.containers(head.uid)})

    def _tasks_of(self, head: Head, node: JSON, places: Places) -> Iterator[JSON]:
        """The task of a node, or each of those that share its pods."""
        whole, items = self._task(head, node, places), items_of(node)
        if items is None:
            yield whole
            return
        pods = attempts_of(node, partial(self._reader.node, head.uid))
        name = node["displayName"].partition("(")[0]
        for item, phase, message in told(items, whole["phase"], pods, whole["message"]).tasks(items):
            yield {
                **whole,
                "id": f"{node['id']}{ITEM}{item}",
                "label": places.label(node.get("boundaryID"), f"{name}({item})")[:TEXT],
                "phase": phase,
                "message": message[:TEXT],
            }

    def _task(self, head: Head, node: JSON, places: Places) -> JSON:
        """A task with its attempts: the pods that have a log."""
        attempts = attempts_of(node, partial(self._reader.node, head.uid))
        last = attempts[-1] if attempts else node
        phase = _phase(head, node.get("phase") or "Pending")
        finished = seconds(node["finishedAt"]) if node.get("finishedAt") else head.finished
        return {
            "id": node["id"],
            "path": places.path(node.get("boundaryID"), node["displayName"].partition("(")[0]),
            "label": places.label(node.get("boundaryID"), node["displayName"])[:TEXT],
            "phase": phase,
            "message": str(last.get("message") or node.get("message") or "")[:TEXT],
            "started": self._reader.begun(head.uid, node["id"]),
            "finished": finished,
            "pods": [
                {
                    "name": pod_name(head.name, each["name"], each.get("templateName", "")),
                    "phase": each.get("phase") or "Pending",
                }
                for each in attempts
            ],
        }

    def _outline(self, head: Head) -> list[Place]:
        found = self._outlines.get(head.uid)
        if found is None:
            found = outline(self._reader.workflow(head, nodes=False))
            if len(self._outlines) >= OUTLINES:
                self._outlines.clear()
            self._outlines[head.uid] = found
        return found


class Places:
    """Where the nodes of a run belong, as the containers around them show."""

    def __init__(self, run: str, containers: Mapping[str, Container]) -> None:
        self._run = run
        self._containers = containers
        self._rooted = any(each.boundary is None and each.name == run for each in containers.values())
        self._paths: dict[str, str] = {}

    def path(self, boundary: str | None, name: str) -> str:
        """The place, in a container, of the nodes of a task of this name."""
        if boundary is None:
            return name.removeprefix(f"{self._run}.")
        around = self.inside(boundary)
        return f"{around}/{name}" if around else name

    def is_root(self, boundary: str | None, name: str) -> bool:
        """Whether it is the outermost DAG, or its attempts; the only pod of a run is not."""
        return boundary is None and name == self._run and self._rooted

    def inside(self, boundary: str) -> str:
        """The path that everything inside a container begins with."""
        around = self._paths.get(boundary)
        if around is None:
            container = self._containers.get(boundary)
            if container is None or self.is_root(container.boundary, container.name):
                around = ""
            else:
                around = self.path(container.boundary, container.name)
            self._paths[boundary] = around
        return around

    def task_name(self, path: str, name: str) -> str:
        """The name that nodes show: outside of all containers, the run's name comes before it."""
        return f"{self._run}.{name}" if path == name == "onExit" else name

    def label(self, boundary: str | None, display: str) -> str:
        """What tells a task from its siblings: its item, and the items around it."""
        return " / ".join([*self._items(boundary), display.removeprefix(f"{self._run}.")])

    def order(self, boundary: str | None, display: str) -> list[int]:
        """By the indices of the items."""
        texts = [*self._items(boundary), display]
        return [int(found[1]) for text in texts if (found := re.search(r"\((\d+)", text))]

    def _items(self, boundary: str | None) -> list[str]:
        """The containers around it that are one of several."""
        found: list[str] = []
        while boundary is not None and (container := self._containers.get(boundary)) is not None:
            if "(" in container.display:
                found.insert(0, container.display)
            boundary = container.boundary
        return found


def _phase(head: Head, phase: str) -> str:
    """The phase of a task as it is shown: what a run that was ended leaves behind has failed with it."""
    return "Failed" if head.finished is not None and phase in ("Pending", "Running") else phase


def _group(groups: dict[str, Group], path: str) -> Group:
    """The group of a place; if the templates do not show it, it is created, with those around it."""
    if path not in groups:
        around, _, name = path.rpartition("/")
        if around:
            _group(groups, around)
        groups[path] = Group(Place(path, name))
    return groups[path]


def _expect(groups: Mapping[str, Group], containers: Mapping[str, Container], places: Places) -> None:
    """How many tasks there will be, where their items are known: Argo makes only as many as may run."""
    foreachs: dict[str, list[Group]] = {}
    for group in groups.values():
        if group.place.items is not None or group.place.items_input:
            foreachs.setdefault(group.place.path.rpartition("/")[0], []).append(group)
    if not foreachs:
        return
    for container in containers.values():
        for group in foreachs.get(places.inside(container.id), ()):
            listed = container.inputs.get(group.place.items_input or "")
            group.expected += group.place.items or _length(listed, group.place.ranges)


def _length(text: str | None, ranges: bool) -> int:
    with suppress(ValueError):
        value = json.loads(text or "[]")
        if isinstance(value, list):
            return sum(map(length, value)) if ranges else len(value)
    return 0


def _ordered(groups: Mapping[str, Group], now: float) -> Iterator[JSON]:
    """The groups as lines of a tree, each before those inside it."""
    inside: dict[str, list[Group]] = {}
    for path, group in groups.items():
        inside.setdefault(path.rpartition("/")[0], []).append(group)

    def walk(around: str, depth: int) -> Iterator[JSON]:
        for group in inside.get(around, ()):
            yield group.shown(depth, group.place.path in inside, now)
            yield from walk(group.place.path, depth + 1)

    return walk("", 0)
