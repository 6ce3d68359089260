"""@trigger and @trigger_on_finish: flows that start each other, and that events from outside start."""

from __future__ import annotations

import json
import os
import signal
import time
from ast import literal_eval
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import PLAIN, SECONDS, Mfhera, message, refused

from metaflow_hera.embedded.local import launch

events = pytest.mark.embedded_only("deals with events itself, as Argo Events does for a cluster")
CHAIN = ["a", "b", "c", "d"]
SETTLED = 3.0
"""Seconds after which what has not started is taken not to start."""


def ended_well(mfhera: Mfhera, name: str, count: int = 1) -> list[str]:
    """Wait until a deployment has so many runs, all of which have succeeded; returns their ids."""

    def there() -> bool:
        found = mfhera.phases(name)
        assert not {"Failed", "Error"} & set(found.values())
        return len(found) == count and set(found.values()) == {"Succeeded"}

    mfhera.wait_until(there)
    return list(mfhera.phases(name))


def artifacts(mfhera: Mfhera, flow: str, run: str, step: str = "start") -> dict[str, Any]:
    task = mfhera.read(f"{flow}/{run}")[step]
    named = {name: value for name, value in task.items() if isinstance(value, str) and name != "attempt"}
    return {name: literal_eval(value) for name, value in named.items()}


@events
def test_a_chain_of_flows_runs_from_one_trigger(own_mfhera: Mfhera) -> None:
    """A, then B and C, then D, which waits for both of them and for an event, and starts once."""
    mfhera = own_mfhera
    said = []
    for letter in ["d", *CHAIN]:
        mfhera.take(f"chain/chain_{letter}_flow.py")
        said.append(mfhera.ok("create", f"chain_{letter}_flow.py"))
    for letter in "BC":
        assert f"No flow with the end metaflow.Chain{letter}Flow.end is deployed here yet" in said[0]
    assert "deployed here yet" not in said[-1]
    mfhera.ok("emit", "chain.ready", "--payload", "how_big=7")
    first = mfhera.run("--name", "chainaflow")
    found = {letter: ended_well(mfhera, f"chain{letter}flow")[0] for letter in CHAIN}
    assert found["a"] == first["run_id"]
    assert artifacts(mfhera, "ChainAFlow", found["a"])["started_by"] is None
    for letter in ("b", "c"):
        made = artifacts(mfhera, f"Chain{letter.upper()}Flow", found[letter])
        assert made["started_by"] == [("metaflow.ChainAFlow.end", "run")]
        assert made["before"] == first["pathspec"]
    last = artifacts(mfhera, "ChainDFlow", found["d"])
    assert last["started_by"] == [
        ("chain.ready", "event"),
        ("metaflow.ChainBFlow.end", "run"),
        ("metaflow.ChainCFlow.end", "run"),
    ]
    assert last["letters"] == ["B", "C"]
    assert last["size"] == 7
    time.sleep(SETTLED)
    assert [len(mfhera.phases(f"chain{letter}flow")) for letter in CHAIN] == [1, 1, 1, 1]
    pathspec = f"ChainDFlow/{found['d']}"
    code = f"from metaflow import Run, namespace; namespace(None); print(Run('{pathspec}').trigger.events)"
    assert "metaflow.ChainBFlow.end" in mfhera.python("-c", code).stdout


@events
def test_what_has_arrived_is_kept_when_the_server_is_killed(own_mfhera: Mfhera) -> None:
    mfhera = own_mfhera
    mfhera.take("chain/chain_d_flow.py")
    mfhera.ok("create", "chain_d_flow.py")
    for name in ("chain.ready", "metaflow.ChainBFlow.end"):
        mfhera.ok("emit", name, "--payload", "auto-generated-by-metaflow=True")
    server = launch.status(Path(mfhera.env["METAFLOW_HERA_HOME"]))
    assert server is not None
    os.kill(server.pid, signal.SIGKILL)
    mfhera.wait_until(lambda: launch.status(Path(mfhera.env["METAFLOW_HERA_HOME"])) is None)
    mfhera.ok("emit", "metaflow.ChainCFlow.end", "--payload", "auto-generated-by-metaflow=True")
    mfhera.wait_until(lambda: len(mfhera.phases("chaindflow")) == 1)


ODD = "{{workflow.name}} $(HOME) '\"\n$$ é"
PAYLOADS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"alpha": 2.25, "the_words": "a b"}, {"alpha": 2.25, "words": "a b", "odd": {"a": 1}}),
    ({"alpha": "3"}, {"alpha": 3.0, "words": "none", "odd": {"a": 1}}),
    (
        {"the_words": ODD, "odd": {"b": ["{{x}}", None]}},
        {"alpha": 0.5, "words": ODD, "odd": {"b": ["{{x}}", None]}},
    ),
    ({"alpha": None, "odd": "[1]", "the_words": ""}, {"alpha": 0.5, "words": "", "odd": [1]}),
]


@events
def test_values_of_an_event_reach_parameters_as_they_are(own_mfhera: Mfhera) -> None:
    own_mfhera.take("event_flow.py")
    assert "data.EventFlow" in own_mfhera.ok("create", "event_flow.py")
    before: set[str] = set()
    for number, (payload, expected) in enumerate(PAYLOADS, 1):
        own_mfhera.ok("emit", "data.EventFlow", "--payload-json", json.dumps(payload))
        (run,) = set(ended_well(own_mfhera, "eventflow", number)) - before
        before.add(run)
        made = artifacts(own_mfhera, "EventFlow", run)
        assert {name: made[name] for name in expected} == expected
        assert made["other"] == "as deployed"
        assert made["event"] == "data.EventFlow"


@events
def test_any_of_the_events_is_enough_where_the_flow_says_so(own_mfhera: Mfhera) -> None:
    own_mfhera.take("any_flow.py")
    own_mfhera.ok("create", "any_flow.py")
    # without what is required
    assert "waits for it" not in own_mfhera.ok("emit", "any.one", "--payload", "y=the other's key")
    assert "No flow in the namespace default waits for it" in own_mfhera.ok("emit", "any.three")
    own_mfhera.ok("emit", "any.two", "--payload", "y=second")
    own_mfhera.ok("emit", "any.one", "--payload", "x=first")
    found = [artifacts(own_mfhera, "AnyFlow", run) for run in ended_well(own_mfhera, "anyflow", 2)]
    assert sorted((made["event"], made["must"]) for made in found) == [
        ("any.one", "first"),
        ("any.two", "second"),
    ]


@events
def test_metaflows_own_way_to_publish_starts_a_flow(own_mfhera: Mfhera) -> None:
    own_mfhera.take("event_flow.py")
    own_mfhera.ok("create", "event_flow.py")
    url = own_mfhera.json("local", "status", "--json")["events_url"]
    code = (
        "from metaflow.integrations import ArgoEvent\n"
        "ArgoEvent('data.EventFlow').publish({'alpha': 9}, ignore_errors=False)"
    )
    done = own_mfhera.python("-c", code, env={"METAFLOW_ARGO_EVENTS_WEBHOOK_URL": url})
    assert done.returncode == 0, done.stderr
    (run,) = ended_well(own_mfhera, "eventflow")
    assert artifacts(own_mfhera, "EventFlow", run)["alpha"] == 9.0
    wrong = url.replace("/webhook/", "/webhook/x")
    assert httpx.post(wrong, json={"name": "e"}, timeout=SECONDS, **PLAIN).status_code == 401
    assert httpx.post(url, content="[1]", timeout=SECONDS, **PLAIN).status_code == 400


@events
def test_a_project_s_flows_hear_their_own_branch_only(own_mfhera: Mfhera) -> None:
    own_mfhera.take("project_chain/up_flow.py", "project_chain/down_flow.py")
    for branch in ("one", "two"):
        for flow in ("up_flow.py", "down_flow.py"):
            own_mfhera.ok("create", flow, "--branch", branch)
    own_mfhera.run("--name", "chained.test.one.upflow")
    (run,) = ended_well(own_mfhera, "chained.test.one.downflow")
    assert artifacts(own_mfhera, "DownFlow", run)["event"] == "metaflow.chained.test.one.UpFlow.end"
    time.sleep(SETTLED)
    assert own_mfhera.phases("chained.test.two.downflow") == {}


@events
def test_a_version_without_events_takes_the_sensor_away(own_mfhera: Mfhera) -> None:
    own_mfhera.take("event_flow.py")
    own_mfhera.ok("create", "event_flow.py")
    script = own_mfhera.folder / "event_flow.py"
    whole = script.read_text()
    script.write_text(whole.replace("@trigger(event=name_of_event)", ""))
    own_mfhera.ok("create", "event_flow.py")
    own_mfhera.ok("emit", "data.EventFlow")
    time.sleep(SETTLED)
    assert own_mfhera.phases("eventflow") == {}
    script.write_text(whole)
    own_mfhera.ok("create", "event_flow.py")
    assert "sensor eventflow" in own_mfhera.ok("delete", "event_flow.py")
    assert own_mfhera.stored() == []


@events
def test_events_of_a_failed_task_are_not_published_and_nothing_is_when_told_so(own_mfhera: Mfhera) -> None:
    own_mfhera.take("chain/chain_a_flow.py", "chain/chain_b_flow.py")
    own_mfhera.ok("create", "chain_b_flow.py")
    own_mfhera.ok("create", "chain_a_flow.py", "--no-auto-emit-argo-events")
    own_mfhera.run("--name", "chainaflow")
    script = own_mfhera.folder / "chain_a_flow.py"
    script.write_text(script.read_text().replace('self.letter = "A"', "raise ValueError(1)"))
    own_mfhera.ok("create", "chain_a_flow.py")
    assert own_mfhera("trigger", "--wait", "--name", "chainaflow").returncode == 1
    time.sleep(SETTLED)
    assert own_mfhera.phases("chainbflow") == {}


@events
def test_what_is_configured_for_a_cluster_is_left_alone_here(own_mfhera: Mfhera) -> None:
    """A laptop may be configured for the company's cluster: a run on it must not start production's flows."""
    env = {"METAFLOW_ARGO_EVENTS_WEBHOOK_URL": "http://127.0.0.1:9/cluster"}
    own_mfhera.ok("local", "start", env=env)
    own_mfhera.take("chain/chain_a_flow.py", "chain/chain_b_flow.py")
    for flow in ("chain_a_flow.py", "chain_b_flow.py"):
        own_mfhera.ok("create", flow, env=env)
    own_mfhera.run("--name", "chainaflow", env=env)
    ended_well(own_mfhera, "chainbflow")


@events
def test_a_step_publishes_an_event_of_its_own(own_mfhera: Mfhera) -> None:
    own_mfhera.take("event_flow.py", "publishing_flow.py")
    own_mfhera.ok("create", "event_flow.py")
    own_mfhera.ok("create", "publishing_flow.py")
    own_mfhera.run("--name", "publishingflow")
    (run,) = ended_well(own_mfhera, "eventflow")
    assert artifacts(own_mfhera, "EventFlow", run)["alpha"] == 4.0


def test_a_webhook_that_does_not_answer_holds_no_task_up_for_long(own_mfhera: Mfhera) -> None:
    code = (
        "import metaflow\n"
        "import os\n"
        "from metaflow_hera.metaflow_api.pod.events import publish_end\n"
        "publish_end('F', 'last', 'r', 't', os.environ, is_last=True)"
    )
    begin = time.monotonic()
    done = own_mfhera.python("-c", code, env={"METAFLOW_ARGO_EVENTS_WEBHOOK_URL": "http://127.0.0.1:9/none"})
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begin < SECONDS / 3
    for name in ("metaflow.F.last", "metaflow.F.end"):
        assert f"The event {name} could not be published" in done.stderr


@events
def test_a_sensor_of_somebody_else_stays_as_it_is(own_mfhera: Mfhera) -> None:
    own_mfhera.take("event_flow.py", "any_flow.py")
    own_mfhera.ok("create", "event_flow.py", "--name", "a.b")
    before = own_mfhera.stored()
    refused(own_mfhera("create", "any_flow.py", "--name", "a-b"), "There is already a Sensor a-b", "a.b")
    assert own_mfhera.stored() == before
    own_mfhera.take("linear_flow.py")
    own_mfhera.ok("create", "linear_flow.py", "--name", "a-b")
    assert "sensor" not in own_mfhera.ok("delete", "--name", "a-b")
    assert own_mfhera.stored() == before


@pytest.mark.parametrize(
    ("flow", "options", "words"),
    [
        ("any_flow.py", ("required", "must"), None),
        ("chain/chain_d_flow.py", ("--events", "workflow-event-binding"), ("several events", "at a time")),
    ],
    ids=["required", "binding"],
)
def test_what_could_never_start(mfhera: Mfhera, flow: str, options: tuple[str, ...], words: Any) -> None:
    mfhera.take(flow)
    script = mfhera.folder / Path(flow).name
    if words is None:
        script.write_text(script.read_text().replace('"parameters": {"must": "y"}', '"parameters": {}'))
        refused(mfhera("create", script.name), "'must'", "required", "events")
        return
    refused(mfhera("create", script.name, "--only-yaml", *options), *words)


def test_emit_refuses_what_is_no_payload(mfhera: Mfhera) -> None:
    refused(mfhera("emit", "e", "--payload", "novalue"), "KEY=VALUE")
    refused(mfhera("emit", "e", "--payload-json", "[1]"), "JSON object")
    refused(mfhera("emit", "e", "--payload-json", "{"), "not JSON")
    refused(mfhera("emit", ""), "needs a name")


def test_a_cluster_without_argo_events_is_told_what_it_needs(mfhera: Mfhera) -> None:
    mfhera.take("event_flow.py")
    env = {"ARGO_SERVER": "127.0.0.1:9", "ARGO_SECURE": "false", "METAFLOW_DATASTORE_SYSROOT_S3": "s3://b/m"}
    done = mfhera("create", "event_flow.py", "--only-yaml", "--datastore=s3", env=env)
    assert done.returncode == 2
    assert "METAFLOW_ARGO_EVENTS_EVENT_SOURCE" in message(done)
