"""Decorators, Metaflow's and the user's own, in pods: the same as under `python flow.py run`."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from harness import Mfhera, assert_same, message, refused
from recorded_flows import Record

from metaflow_hera.embedded.pods import memory

INLINE = {"METAFLOW_DEFAULT_SECRETS_BACKEND_TYPE": "inline"}
"""A backend of Metaflow's own, whose secrets stand in the flow."""

CARDS = """
import json, sys
from metaflow import Run, namespace
from metaflow.cards import get_cards
namespace(None)
run = Run(sys.argv[1])
print(json.dumps([
    (step.id, card.type, card.id or "", "<html" in card.get())
    for step in run for task in step if step.id in ("start", "work", "join") for card in get_cards(task)
]))
"""


HELPERS = {"wrapped_flow.py": ["mutators.py"]}


def both(mfhera: Mfhera, record: Record, flow: str, *, differs: bool = False, **env: str) -> tuple[Any, Any]:
    """The tasks of a flow as they are made here, and by Metaflow's own `run`."""
    command = Mfhera(mfhera.home, mfhera.folder, {**mfhera.env, **env})
    command.take(flow, *HELPERS.get(flow, ()))
    command.ok("create", flow)
    ours = command.read(command.run()["pathspec"])
    return ours, record.by_metaflow(flow, command, flow, differs=differs)


@pytest.mark.parametrize("flow", ["wrapped_flow.py", "mutated_flow.py", "project_flow.py", "secret_flow.py"])
def test_a_flow_makes_the_same_as_by_metaflow_itself(mfhera: Mfhera, record: Record, flow: str) -> None:
    ours, theirs = both(mfhera, record, flow, **INLINE)
    assert_same(theirs, ours, "by Metaflow", "by mfhera", flow)


def test_what_a_mutator_and_an_option_add_is_there(mfhera: Mfhera) -> None:
    mfhera.take("wrapped_flow.py", "mutators.py")
    mfhera.ok("create", "wrapped_flow.py", "--with", "noted:word=everywhere")
    tasks = mfhera.read(mfhera.run("--param", "extra=typed")["pathspec"])
    assert tasks["end"]["said"] == "'typed'"
    assert tasks["end"]["after"] == "'everywhere after end'"
    assert tasks["flaky"]["attempt"] == 1


def test_catch_after_exceptions_and_after_kills(mfhera: Mfhera, record: Record) -> None:
    ours, theirs = both(mfhera, record, "caught_flow.py", differs=True)
    assert sorted(ours) == sorted(theirs)
    assert ours["end"]["problems"] == theirs["end"]["problems"]
    for step, task in ours.items():
        assert task["successful"] == theirs[step]["successful"]
    run = mfhera.json("status", "--json")
    assert {step["name"]: step["attempts"] for step in run["steps"]} == {
        **dict.fromkeys(("start", "well", "join", "nameless", "end"), 1),
        **dict.fromkeys(("raised", "killed"), 2),
        "killed_twice": 3,
    }
    said = {
        step: mfhera.python("caught_flow.py", "logs", f"{run['run_id']}/{step}").stdout
        for step in ("raised", "killed", "nameless")
    }
    assert "@catch caught an exception" in said["raised"]
    assert "raised in attempt 1" in said["raised"]
    assert "nobody asks for it" in said["nameless"]
    assert "@catch" not in said["killed"]  # print_exception=False


def test_a_secret_that_would_replace_a_variable_fails_the_run(mfhera: Mfhera) -> None:
    mfhera.take("secret_flow.py")
    script = mfhera.folder / "secret_flow.py"
    script.write_text(script.read_text().replace("allow_override=True,", ""))
    mfhera.ok("create", "secret_flow.py", env=INLINE)
    assert mfhera("trigger", "--wait").returncode == 1
    run = mfhera.json("status", "--json")
    logs = mfhera.python("secret_flow.py", "logs", f"{run['run_id']}/replaced")
    assert "'LANG' as env var, but it already exists" in logs.stdout + logs.stderr


def test_cards_are_found_where_metaflow_looks_for_them(mfhera: Mfhera) -> None:
    mfhera.take("card_flow.py")
    mfhera.ok("create", "card_flow.py")
    run = mfhera.run()
    found = json.loads(mfhera.python("-c", CARDS, run["pathspec"]).stdout)
    assert all(is_page for *_, is_page in found)
    assert Counter((step, kind, name) for step, kind, name, _ in found) == {
        ("start", "default", ""): 1,
        ("start", "blank", "first"): 1,
        ("start", "blank", "second"): 1,
        ("work", "blank", ""): 2,
        ("join", "no_such_type", "unknown"): 1,
        ("join", "test_error_card", "broken"): 1,  # a card that shows the error
        ("join", "test_timeout_card", "slow"): 1,
    }
    listed = mfhera.python("card_flow.py", "card", "list", f"{run['run_id']}/start/start")
    assert "Found 3 card" in listed.stdout + listed.stderr
    first = mfhera.python("card_flow.py", "card", "get", f"{run['run_id']}/start/start", "--id", "first")
    assert "<html" in first.stdout
    # In the project's datastore, and nowhere else.
    assert len(list((mfhera.folder / ".metaflow" / "mf.cards").rglob("*.html"))) >= 8


def test_what_kubernetes_asks_for_and_a_process_has(mfhera: Mfhera) -> None:
    """With local data, which Metaflow itself does not take for a cluster."""
    mfhera.take("pod_flow.py")
    mfhera.ok("create", "pod_flow.py")
    done = mfhera("trigger", "--wait", "--json")
    run = json.loads(done.stdout)
    if not memory.CAN_TELL:
        assert done.returncode == 0
        return
    tasks = mfhera.read(run["pathspec"])
    assert (tasks["start"]["found"], tasks["start"]["is_tempdir"]) == ("['file']", "True")
    assert (tasks["beside"]["found"], tasks["beside"]["is_tempdir"]) == ("['file']", "False")
    assert "Something in the execution environment caused the failure" in tasks["end"]["said"]
    attempts = {step["name"]: step["attempts"] for step in run["steps"]}
    assert (attempts["large"], attempts["small"]) == (2, 1)
    script = "import sys; from metaflow import Task, namespace; namespace(None); "
    script += "print(Task(sys.argv[1]).metadata_dict['kubernetes-pod-service-account-name'])"
    assert mfhera.python("-c", script, f"{run['pathspec']}/start/start").stdout.strip() == "robot"


def test_what_no_process_has_is_said_once(mfhera: Mfhera) -> None:
    mfhera.take("linear_flow.py")
    said = mfhera.ok("create", "linear_flow.py", "--with", "kubernetes:image=a/b,gpu=1").splitlines()
    (line,) = [line for line in said if "has no effect" in line]
    assert "image (" in line
    assert "gpu (" in line
    assert "has no effect" not in mfhera.ok("create", "linear_flow.py", "--with", "kubernetes:cpu=1")


def test_metaflows_own_run_is_as_it_was(mfhera: Mfhera) -> None:
    mfhera.take("pod_flow.py")
    done = mfhera.python("pod_flow.py", "run")
    assert done.returncode == 1
    assert "requires --datastore=s3" in done.stdout + done.stderr


@pytest.mark.skipif(not memory.CAN_TELL, reason="only Linux tells how much memory a process has")
def test_a_step_that_takes_too_much_memory_says_so(mfhera: Mfhera) -> None:
    mfhera.take("pod_flow.py")
    script = mfhera.folder / "pod_flow.py"
    script.write_text(script.read_text().replace('    @catch(var="problem")\n', ""))
    mfhera.ok("create", "pod_flow.py", "--name", "too-large")
    done = mfhera("trigger", "--wait")
    assert done.returncode == 1
    assert "OOMKilled (exit code 137)" in message(done)
    assert "OOMKilled (exit code 137)" in mfhera.ok("status")


EXTENSION = """
from metaflow.decorators import FlowDecorator, StepDecorator


class WatchedDecorator(FlowDecorator):
    name = "watched"
    defaults = {"by": "nobody"}

    def flow_init(self, flow, *rest):
        type(flow).watched = self.attributes["by"]


class StampedDecorator(StepDecorator):
    name = "stamped"
    defaults = {"word": "stamp"}

    def task_pre_step(self, step_name, *rest):
        print(f"{self.attributes['word']} of {step_name}")


class ElsewhereDecorator(StepDecorator):
    name = "elsewhere"

    def runtime_step_cli(self, *rest):
        "Starts the task in another way."
"""
REGISTERED = """
STEP_DECORATORS_DESC = [
    ("stamped", ".stamped.StampedDecorator"),
    ("elsewhere", ".stamped.ElsewhereDecorator"),
]
FLOW_DECORATORS_DESC = [("watched", ".stamped.WatchedDecorator")]
"""


@pytest.fixture
def extended(mfhera: Mfhera) -> Mfhera:
    """`mfhera` where an extension of Metaflow is installed."""
    root = mfhera.folder / "extension"
    plugins = root / "metaflow_extensions" / "other" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "stamped.py").write_text(EXTENSION)
    (plugins / "mfextinit_other.py").write_text(REGISTERED)
    return Mfhera(mfhera.home, mfhera.folder, {**mfhera.env, "PYTHONPATH": str(root)})


def test_the_decorators_of_an_extension_run_in_the_pod(extended: Mfhera) -> None:
    extended.take("linear_flow.py")
    script = extended.folder / "linear_flow.py"
    text = script.read_text().replace("import FlowSpec", "import watched, FlowSpec")
    text = text.replace("class LinearFlow", "@watched(by='somebody')\nclass LinearFlow")
    says = "def start(self):\n        print('watched by', self.watched)"
    script.write_text(text.replace("def start(self):", says))
    extra = ("--with", "unbounded_test_foreach_internal")
    extended.ok("create", "linear_flow.py", "--name", "stamped", "--with", "stamped:word=seal", *extra)
    run = extended.run()
    logs = extended.python("linear_flow.py", "logs", f"{run['run_id']}/start").stdout
    assert "seal of start" in logs
    assert "watched by somebody" in logs


def test_a_decorator_that_starts_tasks_its_own_way_is_refused(extended: Mfhera) -> None:
    extended.take("linear_flow.py")
    refused(extended("create", "linear_flow.py", "--with", "elsewhere"), "@elsewhere", "start")
