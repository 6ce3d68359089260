"""Metaflow's Deployer, with `.hera()` where its documents have another orchestrator's name."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from harness import EXAMPLES, Mfhera
from metaflow.runner.subprocess_manager import SubprocessManager
from metaflow.runner.utils import handle_timeout, temporary_fifo

from metaflow_extensions.hera.plugins.deployer_errors import whole_message

SCRIPT = Path(__file__).with_name("deploying.py")
WAITING = """
import sys, time
from metaflow import Deployer
triggered = Deployer("gate_flow.py", show_output=False).hera().create().trigger(gate="gate")
triggered.wait_for_run(check_interval=0.2)
try:
    triggered.wait_for_completion(check_interval=0.1, timeout=0.3)
except TimeoutError as error:
    print(error)
print(triggered.is_running, triggered.suspend(), triggered.unsuspend(), triggered.terminate())
triggered.wait_for_completion(check_interval=0.2)
print(triggered.status, triggered.terminate())
"""
PROJECT = """
from metaflow import Deployer
from metaflow.runner.deployer import DeployedFlow
for options in ({}, {"branch": "new_one"}, {"production": True}, {"branch": "new_one", "production": True}):
    name = Deployer("project_flow.py", show_output=False, **options).hera().create().name
    found = DeployedFlow.from_hera(name)
    triggered = found.trigger()
    triggered.wait_for_completion(check_interval=0.2)
    print(found.name == name, triggered.status, triggered.run["end"].task.data.where[1])
"""
INCLUDED = """
from metaflow import Deployer
from metaflow.runner.deployer import DeployedFlow
deployed = Deployer("include_flow.py", show_output=False).hera().create()
for one in (deployed, DeployedFlow.from_hera(deployed.id)):
    given = {"raw": "raw.bin", "flag": True, "a_table": [1], "data": "mine.txt", "tag_list": "a,b"}
    if one is not deployed:
        del given["data"]
    triggered = one.trigger(**given)
    triggered.wait_for_completion(check_interval=0.2)
    print(triggered.run["end"].task.data.seen)
"""


@pytest.fixture
def found(mfhera: Mfhera) -> dict[str, Any]:
    mfhera.take(EXAMPLES / "parameter_flow.py")
    done = mfhera.python(str(SCRIPT), "parameter_flow.py")
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout.split("FOUND", 1)[1])
    return result


def test_the_example_of_the_documents(found: dict[str, Any], mfhera: Mfhera) -> None:
    name, identifier, flow, token = found["deployed"]
    assert (name, identifier, flow) == ("parameterflow", "parameterflow", "ParameterFlow")
    assert found["name"] == "parameterflow"
    service = mfhera.env.get("METAFLOW_SERVICE_URL")
    assert found["metadata"] == (f"service@{service}" if service else f"local@{mfhera.folder}")
    assert found["nothing compiled"] is None
    assert found["status"] == ["Succeeded", False]
    assert found["finished"] == [True, True]
    assert found["alpha"] == 0.5
    assert {"of the deployment", "of the run", f"production:{token}"} <= set(found["tags"])
    assert found["from deployment"] == ["parameterflow", "ParameterFlow", 0.25]
    assert found["looked up"] == "Succeeded"
    assert "parameterflow" in found["listed"]
    assert found["runs"] is True
    assert found["versions"] == [[3, 1, "as it was"], [2, None, None], [1, None, "the first"]]
    assert found["no such version"] is False
    assert found["only json"] == ["never-deployed", "WorkflowTemplate", "never-deployed", None]
    assert found["async"] == [[1.0, 2.0], True, None]
    assert "nonsense" in found["no such option"]
    assert "hera: --max-workers 0 is not valid" in found["refused"]
    assert "alpha" in found["wrong type"]
    assert "beta" in found["no such parameter"]
    assert found["no such deployment"] == "MetaflowException: No deployed flow found for: absent"
    assert found["deleted"] == [True, False]


@pytest.mark.same_machine
def test_a_run_is_suspended_and_ended(mfhera: Mfhera) -> None:
    mfhera.take("gate_flow.py")
    done = mfhera.python("-c", WAITING)
    assert done.returncode == 0, done.stderr
    waited, acted, ended = done.stdout.splitlines()
    assert "has not ended within 0.3 seconds" in waited
    assert acted == "True True True True"
    assert ended == "Failed False"


def test_branches_are_found_again(mfhera: Mfhera) -> None:
    mfhera.take("project_flow.py")
    done = mfhera.python("-c", PROJECT)
    assert done.returncode == 0, done.stderr
    branches = ["user.tester", "test.new_one", "prod", "prod.new_one"]
    found = [line for line in done.stdout.splitlines() if line.startswith("True Succeeded")]
    assert found == [f"True Succeeded {branch}" for branch in branches]


def test_values_of_every_type(mfhera: Mfhera) -> None:
    mfhera.take("include_flow.py", "include_flow.txt")
    (mfhera.folder / "raw.bin").write_bytes(b"\xff")
    (mfhera.folder / "mine.txt").write_text("mine")
    done = mfhera.python("-c", INCLUDED)
    assert done.returncode == 0, done.stderr
    first, second = [line for line in done.stdout.splitlines() if line.startswith("(")]
    assert first == repr(("mine", b"\xff", True, 1, [1], "one\ntwo", "a,b"))
    assert second == repr(("the default\n", b"\xff", True, 1, [1], "one\ntwo", "a,b"))


def test_an_error_holds_all_that_the_command_said() -> None:
    """Also what Metaflow has not written down yet when it sees that the command has ended."""
    processes = SubprocessManager()
    late = ["sh", "-c", "(sleep 0.5; echo refused >&2) & exit 1"]
    with temporary_fifo() as (_, descriptor):
        process = processes.get(processes.run_command(late, env=dict(os.environ)))
        with pytest.raises(RuntimeError, match="refused"), whole_message(processes):
            handle_timeout(descriptor, process, 10)
