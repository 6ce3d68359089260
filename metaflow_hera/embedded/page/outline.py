"""What a workflow will do, as far as its templates show: the places of its tasks, in order.

A place is a path of task names, such as `start-foreach/work`. All tasks that a foreach makes of one DAG task,
in whatever instance of the DAG, have the same place: the number of places does not grow with that of nodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.page.reading import spec_of
from metaflow_hera.embedded.templates import is_task_group

DEEPEST = 16
MOST = 2_000
"""Bounds for templates that call each other endlessly."""

ON_EXIT = "onExit"
ITEMS = "items"
"""The output with which a foreach of a flow lists its items."""
DEPENDS = re.compile(r"([\w-]+)\.[A-Z]\w+")
"""In an expression such as `a.Succeeded || b.Skipped`, the names."""
LISTED = re.compile(rf"\{{\{{tasks\.([\w-]+)\.outputs\.parameters\.{ITEMS}\}}\}}")
CHOICE, ITERATIONS = "next", "iterations"
"""The outputs in which a switch of a flow names the step it chose, and a loop tells how often it ran."""
INPUT = re.compile(r"\{\{\s*inputs\.parameters\.([\w-]+)\s*\}\}")


@dataclass(frozen=True)
class Place:
    """A task of a DAG.

    Attributes:
        path: the names of the tasks around it and its own, joined by slashes.
        label: what people call it: the task's argument `step`, if that is plain text, else its name.
        foreach: whether it runs once for each of some items.
        items: how many items each instance has, where the template lists them.
        items_input: the input parameter of the DAG that lists them otherwise.
        ranges: whether each of these is a range of items, which a pod works on one after the other.
        step: whether it runs a step of a flow.
        opens: the task beside it that lists the items, if it is the DAG of a flow's foreach.
        after: the tasks beside it that it depends on.
        chooses: whether its output says which step comes next: it is a switch of a flow.
    """

    path: str
    label: str
    foreach: bool = False
    items: int | None = None
    items_input: str | None = None
    ranges: bool = False
    step: bool = False
    opens: str = ""
    after: frozenset[str] = frozenset()
    chooses: bool = False


def outline(workflow: JSON) -> list[Place]:
    """The places of a workflow, each before those inside it."""
    stored = spec_of(workflow)
    templates = {template["name"]: template for template in stored.get("templates") or ()}
    places: list[Place] = []
    for place in _walk(templates, stored.get("entrypoint", ""), "", 0):
        places.append(place)
        if len(places) == MOST:
            return places
    on_exit = stored.get("onExit")
    if on_exit:
        places.append(Place(ON_EXIT, "on exit"))
        places.extend(_walk(templates, on_exit, ON_EXIT, 1))
    return places[:MOST]


def _walk(templates: Mapping[str, JSON], name: str, around: str, depth: int) -> Iterator[Place]:
    if depth > DEEPEST:
        return
    for task in (templates.get(name, {}).get("dag") or {}).get("tasks") or ():
        place = _place(task, f"{around}/{task['name']}" if around else task["name"], templates)
        yield place
        yield from _walk(templates, task.get("template", ""), place.path, depth + 1)


def _place(task: JSON, path: str, templates: Mapping[str, JSON]) -> Place:
    arguments = (task.get("arguments") or {}).get("parameters") or ()
    step = next((str(each.get("value") or "") for each in arguments if each["name"] == "step"), "")
    items, param = task.get("withItems"), task.get("withParam")
    source = INPUT.fullmatch(param.strip()) if param else None
    outputs = (templates.get(task.get("template", ""), {}).get("outputs") or {}).get("parameters") or ()
    return Place(
        path,
        step if step and "{{" not in step else task["name"],
        foreach=is_task_group(task),
        items=len(items) if items else None,
        items_input=source[1] if source else None,
        ranges=any(each["name"] == "split-range" for each in arguments),
        step=bool(step) and "{{" not in step,
        opens=next(
            (found[1] for each in arguments if (found := LISTED.fullmatch(each.get("value") or ""))), ""
        ),
        after=frozenset(DEPENDS.findall(task.get("depends") or "")) | set(task.get("dependencies") or ()),
        chooses=any(each["name"] == CHOICE for each in outputs),
    )
