"""The tasks of a run by their places, a line each: how many there are, how far they are, when they ran."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from metaflow_hera.embedded.json_object import JSON, NOT_JSON, count_in
from metaflow_hera.embedded.page.drawing import Span, drawing
from metaflow_hera.embedded.page.outline import CHOICE, ITEMS, ITERATIONS, Place
from metaflow_hera.embedded.page.places import Places, paths_around
from metaflow_hera.embedded.page.progress import FINISHED, NEVER_MADE, Progress, phase_in
from metaflow_hera.embedded.page.ranges import items_of, length, told
from metaflow_hera.embedded.page.reading import TEXT, Alike, PageReader, RangeRow
from metaflow_hera.embedded.storage.reader import Head


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


def groups_of(head: Head, outline: Iterable[Place], places: Places, reader: PageReader) -> dict[str, Group]:
    """The groups of a run by their paths: the places of its outline, and others that its nodes show."""
    groups = {place.path: Group(place) for place in outline}
    # The run itself stands for its outermost DAG.
    rows = [row for row in reader.alike(head.uid) if not places.is_root(row.boundary, row.name)]
    well = {(row.boundary, row.name) for row in rows if row.is_task and row.phase == "Succeeded"}
    for row in rows:
        group = _group(groups, places.path(row.boundary, row.name))
        if row.is_task and not row.is_range:
            group.phases[phase_in(head, row.phase)] += row.count
            if row.phase == "Skipped":
                # Argo also says so of what has a `when` and comes after a failure: nothing chose there.
                after = {(row.boundary, each) for each in group.place.after}
                group.passed_by += row.count if not after or after & well else 0
        if row.is_task and _is_finished(places, row.boundary):
            group.boundaries.add(row.boundary)
        if row.type == "Pod":
            group.attempts += 0 if row.is_range else row.count
            group.spans.append(_span(head, row))
    for each in reader.ranges(head.uid):
        name = each.display.partition("(")[0]
        _count_range(head, each, _group(groups, places.path(each.boundary, name)))
    _count_choices(head, groups, places, reader)
    _expect(groups, places)
    _expect_items(head, groups, places, reader)
    return groups


def lines(groups: Mapping[str, Group], head: Head, now: float) -> Iterator[JSON]:
    """The groups as lines of a tree, each before those inside it.

    Of a flow these are its steps, those inside a foreach below the one that opens it: what Argo needs around
    them is not shown.
    """
    inside: dict[str, list[Group]] = {}
    for path, group in groups.items():
        inside.setdefault(path.rpartition("/")[0], []).append(group)
    shown = {path for path, group in groups.items() if group.place.step}
    hidden = {around for path in shown for around in paths_around(path) if around not in shown}

    def walk(around: str, depth: int) -> Iterator[JSON]:
        for group in inside.get(around, ()):
            path = group.place.path
            if path in hidden:
                yield from walk(path, depth + bool(group.place.opens))
                continue
            yield group.shown(depth, path in inside, head, now)
            yield from walk(path, depth + 1)

    return walk("", 0)


def _count_choices(head: Head, groups: dict[str, Group], places: Places, reader: PageReader) -> None:
    """How often each switch chose which step, and how often loops ran."""
    if not any(group.place.chooses for group in groups.values()):
        return
    for boundary, name, output, value, count in reader.outputs(head.uid, CHOICE, ITERATIONS):
        group = _group(groups, places.path(boundary, name))
        if output == CHOICE:
            group.choices[value] = group.choices.get(value, 0) + count
        else:
            group.iterations += (count_in(value) or 0) * count


def _expect_items(head: Head, groups: Mapping[str, Group], places: Places, reader: PageReader) -> None:
    """How many tasks the steps inside foreachs will have, where these have listed their items."""
    listed: Counter[str] = Counter()
    for boundary, name, _, text, count in reader.outputs(head.uid, ITEMS):
        listed[places.path(boundary, name)] += _length(text, ranges=True) * count
    for path, group in groups.items():
        opening = [each for each in paths_around(path) if each in groups and groups[each].place.opens]
        group.depth = len(opening)
        if group.place.step and opening:
            around, _, _ = opening[-1].rpartition("/")
            source = groups[opening[-1]].place.opens
            group.expected = listed[f"{around}/{source}" if around else source] or None
        elif group.place.step:
            group.expected = 1


def _expect(groups: Mapping[str, Group], places: Places) -> None:
    """How many tasks there will be, where their items are known: Argo makes only as many as may run."""
    inside: dict[str, list[Group]] = {}
    within: dict[str, list[Group]] = {}
    for path, group in groups.items():
        around = path.rpartition("/")[0]
        within.setdefault(around, []).append(group)
        if group.place.items is not None or group.place.items_input:
            inside.setdefault(around, []).append(group)
    for container in places.containers.values():
        path = places.inside(container.id)
        for group in inside.get(path, ()):
            listed = container.inputs.get(group.place.items_input or "")
            count = group.place.items or _length(listed, group.place.ranges)
            group.expected = (group.expected or 0) + count
        if container.phase in FINISHED:
            for group in within.get(path, ()):
                group.finished_around += 1


def _group(groups: dict[str, Group], path: str) -> Group:
    """The group of a place; if the templates do not show it, it is created, with those around it."""
    if path not in groups:
        around, _, name = path.rpartition("/")
        if around:
            _group(groups, around)
        groups[path] = Group(Place(path, name))
    return groups[path]


def _is_finished(places: Places, boundary: str | None) -> bool:
    around = places.containers.get(boundary or "")
    return around is not None and around.phase in FINISHED


def _span(head: Head, row: Alike) -> Span:
    """The attempts of a row. The name of an attempt is that of its task, then its number in parentheses."""
    ended = head.finished if row.finished is None else row.finished
    names = (row.names or "").split("\n") if row.names else []
    tasks = tuple(name if row.is_task else name.rpartition("(")[0] for name in names)
    return Span(row.made or 0, row.started, ended, phase_in(head, row.phase), row.count, tasks)


def _count_range(head: Head, row: RangeRow, group: Group) -> None:
    """Count what one pod runs; it is drawn as that pod, which runs one task at a time."""
    phase, items = phase_in(head, row.phase), items_of(row.node)
    if items is None:
        group.phases[phase] += 1
        group.attempts += len(row.pods)
        return
    found = told(items, phase, row.pods, "")
    group.phases.update(found.phases)
    group.attempts += found.attempts


def _length(text: str | None, ranges: bool) -> int:
    with suppress(*NOT_JSON):
        value = json.loads(text or "[]")
        if isinstance(value, list):
            return sum(map(length, value)) if ranges else len(value)
    return 0
