"""A run as the page shows it: a line for each place in its templates, however many tasks are there."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from metaflow_hera.embedded.controller.ids import pod_name
from metaflow_hera.embedded.json_object import JSON, NOT_JSON, count_in
from metaflow_hera.embedded.kubernetes_time import seconds
from metaflow_hera.embedded.labels import TEMPLATE_LABEL
from metaflow_hera.embedded.page.drawing import Span, drawing
from metaflow_hera.embedded.page.outline import CHOICE, ITEMS, ITERATIONS, Place, outline
from metaflow_hera.embedded.page.parameters import given
from metaflow_hera.embedded.page.pathspecs import run_name, task_of
from metaflow_hera.embedded.page.progress import FINISHED, NEVER_MADE, Progress
from metaflow_hera.embedded.page.ranges import FAILED, items_of, length, told
from metaflow_hera.embedded.page.reading import TEXT, Alike, Container, PageReader, RangeRow, attempts_of
from metaflow_hera.embedded.storage.reader import Head

ITEM = ":"
"""Between the id of a node and the item of one of the tasks that share its pods."""
FAILURES = 20
OUTLINES = 32
TITLE = "workflows.argoproj.io/title"
ORDER = {"Failed": 0, "Error": 0, "Running": 1, "Pending": 2}
"""The phases that a list of tasks begins with."""


@dataclass
class Group:
    """The tasks of one place.

    `phases` counts its nodes, also those that stand for a task which there is not: of these, a switch has
    passed by `passed_by`. Of the DAG around it `finished_around` instances have ended, and in `boundaries` of
    these it has a node. `depth` is how many foreachs of a flow are around it.
    """

    place: Place
    phases: Counter[str] = field(default_factory=Counter)
    expected: int | None = None
    passed_by: int = 0
    attempts: int = 0
    spans: list[Span] = field(default_factory=list)
    boundaries: set[str | None] = field(default_factory=set)
    depth: int = 0
    finished_around: int = 0
    choices: dict[str, int] = field(default_factory=dict)
    iterations: int = 0

    def progress(self, head: Head) -> Progress:
        """How far its tasks are."""
        found = {phase: count for phase, count in self.phases.items() if phase not in NEVER_MADE}
        left_out = sum(self.phases[phase] for phase in NEVER_MADE) - self.passed_by
        many = self.depth > 0 if self.place.step else self.place.foreach or sum(found.values()) > 1
        made = Progress(found, self.expected, left_out, self.attempts, many)
        if self.place.step and not self.place.foreach:
            made.not_started += self.finished_around - len(self.boundaries)
        if made.expected is not None:
            made.expected = max(made.tasks, made.expected - self.passed_by)
        if head.finished is not None:
            made.ended(str(json.loads(head.status).get("phase")))
        return made

    def shown(self, depth: int, parent: bool, head: Head, now: float) -> JSON:
        """As the page gets it."""
        progress = self.progress(head)
        ran = [span for span in self.spans if span.started is not None]
        runs = any(span.ended is None for span in ran)
        return {
            "path": self.place.path,
            "label": self.place.label[:TEXT],
            "depth": depth,
            "parent": parent,
            "foreach": progress.many or progress.tasks > 1,
            "state": progress.state,
            "words": progress.words,
            "phases": self.phases,
            "total": progress.whole,
            "started": min((span.started for span in ran if span.started is not None), default=None),
            "finished": None if runs else max((span.ended or 0.0 for span in ran), default=None),
            **drawing(self.spans, now),
            **({"choices": self.choices} if self.choices else {}),
            **({"iterations": self.iterations} if self.iterations else {}),
        }


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
            "id": run_name(metadata),
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
        # The run itself stands for its outermost DAG.
        rows = [row for row in self._reader.alike(head.uid) if not places.is_root(row.boundary, row.name)]
        well = {(row.boundary, row.name) for row in rows if row.is_task and row.phase == "Succeeded"}
        for row in rows:
            group = _group(groups, places.path(row.boundary, row.name))
            if row.is_task and not row.is_range:
                group.phases[_phase(head, row.phase)] += row.count
                if row.phase == "Skipped":
                    # Argo also says so of what has a `when` and comes after a failure: nothing chose there.
                    after = {(row.boundary, each) for each in group.place.after}
                    group.passed_by += row.count if not after or after & well else 0
            if row.is_task and _is_finished(containers, row.boundary):
                group.boundaries.add(row.boundary)
            if row.type == "Pod":
                group.attempts += 0 if row.is_range else row.count
                group.spans.append(_span(head, row))
        for each in self._reader.ranges(head.uid):
            name = each.display.partition("(")[0]
            _count_range(head, each, _group(groups, places.path(each.boundary, name)))
        self._count_choices(head, groups, places)
        _expect(groups, containers, places)
        self._expect_items(head, groups, places)
        return {
            "run": self.run(head),
            "parameters": given(self._reader.arguments(head.uid)),
            "groups": list(_ordered(groups, head, now)),
            "failures": list(islice(self._failures(head, places), FAILURES)),
            "now": now,
        }

    def _expect_items(self, head: Head, groups: Mapping[str, Group], places: Places) -> None:
        """How many tasks the steps inside foreachs will have, where these have listed their items."""
        listed: Counter[str] = Counter()
        for boundary, name, _, text, count in self._reader.outputs(head.uid, ITEMS):
            listed[places.path(boundary, name)] += _length(text, ranges=True) * count
        for path, group in groups.items():
            opening = [each for each in _around(path) if each in groups and groups[each].place.opens]
            group.depth = len(opening)
            if group.place.step and opening:
                around, _, _ = opening[-1].rpartition("/")
                source = groups[opening[-1]].place.opens
                group.expected = listed[f"{around}/{source}" if around else source] or None
            elif group.place.step:
                group.expected = 1

    def _count_choices(self, head: Head, groups: dict[str, Group], places: Places) -> None:
        """How often each switch chose which step, and how often loops ran."""
        if not any(group.place.chooses for group in groups.values()):
            return
        for boundary, name, output, value, count in self._reader.outputs(head.uid, CHOICE, ITERATIONS):
            group = _group(groups, places.path(boundary, name))
            if output == CHOICE:
                group.choices[value] = group.choices.get(value, 0) + count
            else:
                group.iterations += (count_in(value) or 0) * count

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
        phase = _phase(head, node.get("phase") or "Pending")
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
        return Span(made, started, ended, _phase(head, pod.get("phase") or "Pending"))

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


def _is_finished(containers: Mapping[str, Container], boundary: str | None) -> bool:
    around = containers.get(boundary or "")
    return around is not None and around.phase in FINISHED


def _span(head: Head, row: Alike) -> Span:
    """The attempts of a row. The name of an attempt is that of its task, then its number in parentheses."""
    ended = head.finished if row.finished is None else row.finished
    names = (row.names or "").split("\n") if row.names else []
    tasks = tuple(name if row.is_task else name.rpartition("(")[0] for name in names)
    return Span(row.made or 0, row.started, ended, _phase(head, row.phase), row.count, tasks)


def _count_range(head: Head, row: RangeRow, group: Group) -> None:
    """Count what one pod runs; it is drawn as that pod, which runs one task at a time."""
    phase, items = _phase(head, row.phase), items_of(row.node)
    if items is None:
        group.phases[phase] += 1
        group.attempts += len(row.pods)
        return
    found = told(items, phase, row.pods, "")
    group.phases.update(found.phases)
    group.attempts += found.attempts


def _expect(groups: Mapping[str, Group], containers: Mapping[str, Container], places: Places) -> None:
    """How many tasks there will be, where their items are known: Argo makes only as many as may run."""
    inside: dict[str, list[Group]] = {}
    within: dict[str, list[Group]] = {}
    for path, group in groups.items():
        around = path.rpartition("/")[0]
        within.setdefault(around, []).append(group)
        if group.place.items is not None or group.place.items_input:
            inside.setdefault(around, []).append(group)
    for container in containers.values():
        path = places.inside(container.id)
        for group in inside.get(path, ()):
            listed = container.inputs.get(group.place.items_input or "")
            count = group.place.items or _length(listed, group.place.ranges)
            group.expected = (group.expected or 0) + count
        if container.phase in FINISHED:
            for group in within.get(path, ()):
                group.finished_around += 1


def _around(path: str) -> Iterator[str]:
    """The paths of the places around one, the outermost first."""
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


def _length(text: str | None, ranges: bool) -> int:
    with suppress(*NOT_JSON):
        value = json.loads(text or "[]")
        if isinstance(value, list):
            return sum(map(length, value)) if ranges else len(value)
    return 0


def _ordered(groups: Mapping[str, Group], head: Head, now: float) -> Iterator[JSON]:
    """The groups as lines of a tree, each before those inside it.

    Of a flow these are its steps, those inside a foreach below the one that opens it: what Argo needs around
    them is not shown.
    """
    inside: dict[str, list[Group]] = {}
    for path, group in groups.items():
        inside.setdefault(path.rpartition("/")[0], []).append(group)
    shown = {path for path, group in groups.items() if group.place.step}
    hidden = {around for path in shown for around in _around(path) if around not in shown}

    def walk(around: str, depth: int) -> Iterator[JSON]:
        for group in inside.get(around, ()):
            path = group.place.path
            if path in hidden:
                yield from walk(path, depth + bool(group.place.opens))
                continue
            yield group.shown(depth, path in inside, head, now)
            yield from walk(path, depth + 1)

    return walk("", 0)
