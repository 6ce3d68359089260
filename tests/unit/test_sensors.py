"""Sensors of the embedded Argo: which events they heed, when they start a workflow, and with which values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from metaflow_hera.embedded.events import paths
from metaflow_hera.embedded.events.filters import passes
from metaflow_hera.embedded.events.sensors import Sensors
from metaflow_hera.embedded.expressions.gotemplate import TemplateError, check, render
from metaflow_hera.embedded.storage.store import EVENT_TEXT, EVENTS, Store

NOW = 1_790_000_000.0
WORKFLOW = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": "w-"},
    "spec": {"arguments": {"parameters": [{"name": "p", "value": "old"}, {"name": "q", "value": "old"}]}},
}


class World:
    """A store, and what sensors have started."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = Store(path)
        self.started: list[dict[str, Any]] = []
        self.sensors = Sensors(self.store, self)

    def create(self, namespace: str, workflow: dict[str, Any]) -> dict[str, Any]:
        self.started.append(workflow)
        name = f"w-{len(self.started)}"
        return {**workflow, "metadata": {**workflow["metadata"], "name": name, "namespace": namespace}}

    def terminate(self, uid: str) -> None:
        raise AssertionError

    def remove(self, uid: str) -> None:
        raise AssertionError

    def put(self, *names: str, parameters: list[Any] | None = None, **template: Any) -> None:
        """A sensor that waits for events of these names."""
        trigger = {
            "name": "t",
            "k8s": {"source": {"resource": WORKFLOW}, "parameters": parameters or []},
            **template,
        }
        sensor = {
            "metadata": {"name": "s", "namespace": "argo", "resourceVersion": "1"},
            "spec": {
                "dependencies": [{"name": name, "filters": named(name)} for name in names],
                "triggers": [{"template": trigger}],
            },
        }
        with self.store.transaction():
            old = self.store.object("sensors", "argo", "s")
            self.store.put_object("sensors", sensor)
            self.sensors.put(sensor, old)

    def come(self, name: str, at: float = 0, **payload: Any) -> None:
        """An event comes, so many seconds later."""
        with self.store.transaction():
            self.sensors.receive("argo", {"name": name, "payload": {"name": name, **payload}}, NOW + at)

    def restart(self) -> None:
        self.store.close()
        self.store = Store(self.path)
        self.sensors = Sensors(self.store, self)


def named(name: str) -> dict[str, Any]:
    return {"data": [{"path": "body.payload.name", "type": "string", "value": [f"^{name}$"]}]}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "argo.db")
    yield made
    made.store.close()


def test_all_events_are_needed_in_any_order(world: World) -> None:
    world.put("a", "b")
    world.come("b")
    world.come("b")
    assert world.started == []
    world.come("a")
    assert len(world.started) == 1
    world.come("a")
    assert len(world.started) == 1  # what has started a workflow starts no second one
    world.come("b")
    assert len(world.started) == 2


def test_what_came_is_noted_with_what_it_started(world: World) -> None:
    world.put("a", "b")
    for at, name in enumerate(("a", "else", "b")):
        world.come(name, at=at)
    noted = [(each.at - NOW, each.taken, each.started) for each in world.store.events()]
    assert noted == [(2, True, ["argo/w-1"]), (1, False, []), (0, True, [])]


def test_events_that_nobody_waits_for_do_not_push_out_the_others(world: World) -> None:
    world.put("a")
    world.come("a", text="x" * EVENT_TEXT)
    for _ in range(EVENTS + 5):
        world.come("else")
    kept = world.store.events()
    assert [each.taken for each in kept] == [*[False] * EVENTS, True]
    assert len(kept[-1].body) == EVENT_TEXT


def test_any_event_is_enough_where_the_condition_says_so(world: World) -> None:
    world.put("a", "b", conditions="a || b")
    for name in ("a", "c", "b", "b"):
        world.come(name)
    assert len(world.started) == 3


def test_a_condition_of_both_kinds(world: World) -> None:
    world.put("a", "b", "c", conditions="(a || b) && c")
    world.come("a")
    world.come("b")
    assert world.started == []
    world.come("c")
    assert len(world.started) == 1


def test_what_has_arrived_outlives_the_server(world: World) -> None:
    world.put("a", "b")
    world.come("a")
    world.restart()
    world.come("b")
    assert len(world.started) == 1


def test_what_has_arrived_is_forgotten_at_a_reset(world: World) -> None:
    # NOW is 2026-09-21 16:13:20 in Berlin.
    world.put("a", "b", conditionsReset=[{"byTime": {"cron": "20 16 * * *", "timezone": "Europe/Berlin"}}])
    world.come("a")
    world.come("b", at=480)
    assert world.started == []
    world.come("a", at=481)
    assert len(world.started) == 1


def test_another_condition_begins_anew_and_the_same_does_not(world: World) -> None:
    world.put("a", "b")
    world.come("a")
    world.put("a", "b", parameters=[])
    world.put("a", "b", "c")
    world.come("b")
    world.come("c")
    assert world.started == []


def test_values_of_the_events_go_where_they_are_to_go(world: World) -> None:
    def to(name: str, **source: Any) -> dict[str, Any]:
        return {"src": source, "dest": f'spec.arguments.parameters.#(name=="{name}").value'}

    world.put(
        "a",
        "b",
        conditions="a || b",
        parameters=[
            to("p", dependencyName="a", dataKey="body.payload.size"),
            to("q", dependencyName="b", dataKey="body.payload.size", value="none"),
            to("absent", dependencyName="a", dataKey="body.payload.size"),
            {"src": {"dependencyName": "a", "dataKey": "body.name"}, "dest": "metadata.labels.event"},
        ],
    )
    world.come("a", size={"x": [1, 2.5]})
    (workflow,) = world.started
    values = {each["name"]: each["value"] for each in workflow["spec"]["arguments"]["parameters"]}
    assert values == {"p": '{"x":[1,2.5]}', "q": "none"}
    assert workflow["metadata"]["labels"]["event"] == "a"
    assert workflow["metadata"]["labels"]["events.argoproj.io/sensor"] == "s"


@pytest.mark.parametrize(
    ("filters", "data", "expected"),
    [
        ({}, {}, True),
        (named("a"), {"body": {"payload": {"name": "a"}}}, True),
        (named("a"), {"body": {"payload": {"name": "ab"}}}, False),
        (named("a"), {"body": {"payload": "a"}}, False),
        ({"data": [{"path": "n", "type": "number", "comparator": ">", "value": ["2"]}]}, {"n": 3}, True),
        ({"data": [{"path": "n", "type": "number", "comparator": ">", "value": ["2"]}]}, {"n": "x"}, False),
        ({"data": [{"path": "n", "type": "number", "value": ["1", "2"]}]}, {"n": 2}, True),
        ({"data": [{"path": "b", "type": "bool", "value": ["true"]}]}, {"b": True}, True),
        ({"data": [{"path": "b", "type": "bool", "value": ["true"]}]}, {"b": False}, False),
        ({"data": [{"path": "s", "type": "string", "comparator": "!=", "value": ["^x"]}]}, {"s": "y"}, True),
        ({"exprs": [
            {"expr": "n > 2 && s == 'x'",
             "fields": [{"name": "n", "path": "n"}, {"name": "s", "path": "s"}]}]},
         {"n": 3, "s": "x"}, True),
        ({"exprs": [{"expr": "n > 2", "fields": [{"name": "n", "path": "n"}]}]}, {"n": "x"}, False),
        ({"exprs": [{"expr": "true == true", "fields": [{"name": "n", "path": "n"}]}]}, {}, False),
        ({"exprs": [{"expr": "true == true", "fields": [{"name": "n", "path": "n"}]}]}, {"n": None}, True),
        ({"exprLogicalOperator": "or", "exprs": [
            {"expr": "n == 1", "fields": [{"name": "n", "path": "n"}]},
            {"expr": "n == 2", "fields": [{"name": "n", "path": "n"}]}]}, {"n": 2}, True),
    ],
)  # fmt: skip
def test_a_filter(filters: dict[str, Any], data: dict[str, Any], expected: bool) -> None:
    assert passes(filters, data) is expected


METAFLOWS = (
    '{{ if (hasKey $.Input.body.payload "a") }}{{- $pv:=(get $.Input.body.payload "a") -}}'
    '{{ if kindIs "string" $pv }}{{- $pv | toRawJson -}}{{- else -}}'
    "{{ $pv | toRawJson | toRawJson }}{{- end -}}"
    '{{- else -}}{{ (fail "use-default-instead") }}{{- end -}}'
)
"""A template that Metaflow's own plugin writes into its sensors."""


@pytest.mark.parametrize(
    ("template", "payload", "expected"),
    [
        ("plain }} text", {}, "plain }} text"),
        ("{{ .Input.body.payload.a }}", {"a": 1.5}, "1.5"),
        ("{{.Input.body.payload.b}}", {}, "<no value>"),
        ("a {{- /* a comment */ -}} b", {}, "ab"),
        ('{{ if eq .Input.body.payload.a "x" }}1{{ else if true }}2{{ else }}3{{ end }}', {"a": "y"}, "2"),
        ('{{ $v := get .Input.body.payload "a" }}{{ $v | upper | quote }}', {"a": "x"}, '"X"'),
        ('{{ printf "%s-%d" .Input.body.payload.a 3 }}', {"a": "x"}, "x-3"),
        (
            '{{ pick .Input.body.payload "b" "a" | toRawJson | b64enc }}',
            {"a": 1, "b": "<", "c": 2},
            "eyJhIjoxLCJiIjoiPCJ9",
        ),
        ('{{ .Input.body.payload.a | default "d" }}', {"a": ""}, "d"),
        ("{{ .Input.body.payload }}", {"b": [1, None], "a": True}, "map[a:true b:[1 <nil>]]"),
        ("{{ .Input.body.payload.a | toJson }}", {"a": "<"}, '"\\u003c"'),
        (METAFLOWS, {"a": {"b": 1}}, '"{\\"b\\":1}"'),
        (METAFLOWS, {"a": "text"}, '"text"'),
    ],
)
def test_a_template(template: str, payload: dict[str, Any], expected: str) -> None:
    assert render(template, {"Input": {"body": {"payload": payload}}}) == expected


@pytest.mark.parametrize(
    ("template", "word"),
    [
        ("{{ if true }}x", "unexpected EOF"),
        ("{{ end }}", "unexpected"),
        ("{{ range .x }}{{ end }}", "range is not implemented"),
        ('{{ env "HOME" }}', 'function "env" is not implemented'),
        ("{{ .x", "unclosed action"),
        ("{{ ( .x }}", "unclosed left paren"),
        ("{{ }}", "missing value"),
    ],
)
def test_a_template_that_cannot_be_read(template: str, word: str) -> None:
    with pytest.raises(TemplateError, match=word):
        check(template)


@pytest.mark.parametrize("template", [METAFLOWS, "{{ .a.b.c }}", "{{ $x }}", "{{ upper 3 }}"])
def test_a_template_that_fails(template: str) -> None:
    with pytest.raises(TemplateError):
        render(template, {"Input": {"body": {"payload": {}}}, "a": None})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.b", 1),
        ("a.c.1", "y"),
        (r"d\.e", 2),
        ('l.#(name=="x").v', 3),
        ("l.#(name=x).v", 3),
        ("a.z", paths.MISSING),
    ],
)
def test_a_path(path: str, expected: Any) -> None:
    data = {"a": {"b": 1, "c": ["x", "y"]}, "d.e": 2, "l": [{"name": "w"}, {"name": "x", "v": 3}]}
    assert paths.find(data, path) == expected


@pytest.mark.parametrize("path", ["a.*", "a.#", "a|b", "a.@keys", "l.#(v>3)"])
def test_a_path_of_another_kind_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not implemented"):
        paths.check(path)
