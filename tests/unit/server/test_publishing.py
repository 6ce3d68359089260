"""Publishing an event: whether a flow waits for it is told where it can be known."""

from __future__ import annotations

from typing import Any

import pytest
from exports import export, of_kind
from twin import Twin
from wrong import ANSWERS, Front

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.events import publish
from metaflow_hera.operations.exports import create_from

NAME = "body.payload.name"
OF_METAFLOW = {"exprs": [{"expr": "name == 'ready'", "fields": [{"name": "name", "path": NAME}]}]}


def test_an_event_that_no_flow_waits_for(twin: Twin) -> None:
    assert publish(twin.client, "data.EventFlow", {}).unheard_in == "default"
    create_from(export("event"), twin.client, None)
    assert publish(twin.client, "data.EventFlow", {}).unheard_in is None
    assert publish(twin.client, "data.Eventflow", {}).unheard_in == "default"
    assert publish(twin.client, "dataxEventFlow", {}).unheard_in == "default"


@pytest.mark.parametrize(
    ("filters", "heard"),
    [
        ({}, {"ready", "other"}),
        ({"data": [{"path": "body.payload.size", "type": "number", "value": ["3"]}]}, {"ready", "other"}),
        ({"data": [{"path": NAME, "type": "string", "value": ["^rea"]}]}, {"ready", "other"}),
        ({"data": [{"path": NAME, "type": "string", "value": ["^ready$", "^x$"]}]}, {"ready"}),
        (
            {"data": [{"path": NAME, "type": "string", "value": ["^x$"], "comparator": "!="}]},
            {"ready", "other"},
        ),
        (OF_METAFLOW, {"ready"}),
        ({**OF_METAFLOW, "exprLogicalOperator": "or"}, {"ready", "other"}),
    ],
)
def test_where_it_is_not_known_nothing_is_said(twin: Twin, filters: dict[str, Any], heard: set[str]) -> None:
    (sensor,) = of_kind(export("event"), "Sensor")
    sensor["spec"]["dependencies"][0]["filters"] = filters
    twin.client.create_sensor(sensor)
    names = ("ready", "other")
    assert {name for name in names if publish(twin.client, name, {}).unheard_in is None} == heard


@pytest.mark.parametrize("how", ["403", "404", "502", "a page"])
def test_what_cannot_be_asked_is_no_matter(twin: Twin, how: str) -> None:
    front = Front(twin.transport)
    front.reset(ANSWERS[how], at=1)
    assert publish(ArgoClient(twin.client.target, front), "ready", {}).unheard_in is None
    assert front.calls[:2] == ["POST", "GET"]
