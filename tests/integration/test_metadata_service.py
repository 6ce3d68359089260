"""Flows with `--metadata=service`: runs, tasks with ids that are words, metadata, tags, heartbeats."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from harness import Mfhera
from metadata_service import MetadataService

READ = """
import json, sys
from metaflow import Flow, Run, Step, Task, namespace
namespace(sys.argv[2])
run = Run(sys.argv[1])
print(json.dumps({
    "run": [run.id, run.finished, run.successful],
    "latest": Flow(run.pathspec.split("/")[0]).latest_run.id,
    "tags": sorted(run.user_tags),
    "system tags": sorted(run.system_tags),
    "steps": {step.id: sorted(task.id for task in step) for step in run},
    "metadata": {
        task.pathspec.split("/", 2)[2]: task.metadata_dict
        for step in run for task in step if task.id != "parameters"
    },
    "attempts": {task.id: task.current_attempt for step in run for task in step},
    "data": {
        artifact.id: repr(artifact.data)
        for step in run for task in step for artifact in task if not artifact.id.startswith("_")
    },
    "parents": {task.id: sorted(parent.id for parent in task.parent_tasks) for step in run for task in step
                if step.id not in ("_parameters", "start") and "_graph_info" in task},
}))
"""


@pytest.fixture
def service() -> Iterator[MetadataService]:
    found = MetadataService()
    yield found
    found.close()


@pytest.fixture
def serviced(mfhera: Mfhera, service: MetadataService) -> Mfhera:
    """`mfhera` of somebody who is configured for the service."""
    env = {
        **mfhera.env,
        "METAFLOW_SERVICE_URL": service.url,
        "METAFLOW_DEFAULT_METADATA": "service",
        "NO_PROXY": "127.0.0.1",
    }
    return Mfhera(mfhera.home, mfhera.folder, env)


def read(mfhera: Mfhera, pathspec: str, namespace: str) -> dict[str, Any]:
    done = mfhera.python("-c", READ, pathspec, namespace)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_foreach_and_retries(serviced: Mfhera, service: MetadataService) -> None:
    serviced.take("stored_flow.py")
    options = ("--with", "retry:minutes_between_retries=0", "--tag", "ours")
    made = serviced.json("create", "stored_flow.py", *options, "--json")
    run = serviced.run("--tag", "mine")
    found = read(serviced, run["pathspec"], made["namespace"])
    assert found["run"] == [run["run_id"], True, True]
    assert found["latest"] == run["run_id"]
    assert found["tags"] == ["mine", "ours", "version:1"]
    assert {made["namespace"], "runtime:argo-workflows"} <= set(found["system tags"])
    assert found["steps"] == {
        "start": ["start"],
        "work": ["work-0", "work-1"],
        "collect": ["collect"],
        "end": ["end"],
    }
    assert found["parents"]["collect"] == ["work-0", "work-1"]
    assert found["attempts"]["start"] == 1
    assert found["data"]["all"] == "['A', 'B']"
    about = found["metadata"]["start/start"]
    assert about["argo-workflow-name"] == run["run_id"].removeprefix("argo-")
    assert about["argo-workflow-template"] == made["name"]
    assert about["argo-workflow-template-owner"] == "tester"
    assert about["attempt"] == "1"
    assert about["exit-reason"] == "ValueError: not yet"
    # Tags are changed afterwards, as those of any run.
    done = serviced.python(
        "stored_flow.py", "tag", "add", "--namespace", made["namespace"], "--run-id", run["run_id"], "later"
    )
    assert done.returncode == 0, done.stderr
    assert "later" in read(serviced, run["pathspec"], made["namespace"])["tags"]


def test_a_failed_run_tells_why(serviced: Mfhera) -> None:
    serviced.take("ends_flow.py")
    made = serviced.json("create", "ends_flow.py", "--json")
    done = serviced("trigger", "--param", "way=segfault", "--wait", "--json")
    run = json.loads(done.stdout)
    found = read(serviced, run["pathspec"], made["namespace"])
    assert found["run"] == [run["run_id"], False, False]
    about = next(each for each in found["metadata"].values() if "exit-code" in each)
    assert about["exit-code"] == "139"
    assert about["exit-reason"] == "The task was ended by SIGSEGV (a segmentation fault)."


def test_a_task_that_ends_before_metaflow_knows_of_it_is_known_all_the_same(serviced: Mfhera) -> None:
    serviced.take("late_import_flow.py")
    made = serviced.json("create", "late_import_flow.py", "--json")
    run = json.loads(serviced("trigger", "--wait", "--json").stdout)
    about = read(serviced, run["pathspec"], made["namespace"])["metadata"]["end/end"]
    assert about["attempt"] == "0"
    said = "ModuleNotFoundError: No module named 'a_module_that_was_not_packed' (a pod has the code below"
    assert about["exit-reason"].startswith(said)
    assert "a_module_that_was_not_packed" in serviced.ok("logs", run["run_id"], "end", "--stderr")


def test_heartbeats_of_the_task_and_of_its_run(serviced: Mfhera, service: MetadataService) -> None:
    serviced.take("gate_flow.py")
    serviced.ok("create", "gate_flow.py")
    gate = serviced.folder / "gate"
    run = serviced.json("trigger", "--param", f"gate={gate}", "--json")
    task = f"GateFlow/{run['run_id']}/start/start"
    wanted = {task, f"GateFlow/{run['run_id']}"}
    serviced.wait_until(lambda: wanted <= set(service.beats))
    gate.touch()
    serviced.ok("status", run["run_id"], "--watch")
    assert serviced.json("status", run["run_id"], "--json")["state"] == "Succeeded"
    others = {beat for beat in service.beats if beat.count("/") > 1} - {task, task.replace("start", "end")}
    assert others == set()


def test_the_deployer(serviced: Mfhera, service: MetadataService) -> None:
    serviced.take("linear_flow.py")
    code = """
from metaflow import Deployer
deployed = Deployer("linear_flow.py", show_output=False).hera().create()
triggered = deployed.trigger()
triggered.wait_for_completion(check_interval=0.2)
print(deployed.metadata, triggered.status, triggered.run.successful)
"""
    done = serviced.python("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"service@{service.url} Succeeded True"
