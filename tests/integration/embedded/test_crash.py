"""The server is killed while pods run: nothing is lost, nothing is done twice."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from metaflow_hera.embedded.pods.keeper import began

from .conftest import Argo, pod_spec, pods, task_group_spec


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.3, 1.0])
def test_after_a_kill_every_pod_has_run_once(own_argo: Argo, tmp_path: Path, moment: float) -> None:
    seen = tmp_path / "seen"
    item = "{{inputs.parameters.item}}"
    spec = task_group_spec(
        f"sleep 0.2; echo {item} >> {seen}; echo log-{item}; exit {item}", [0, 1, 2, 3, 4, 5, 6, 7]
    )
    name = own_argo.run(spec)
    time.sleep(moment)
    own_argo.kill()
    time.sleep(0.3)
    own_argo.start()
    workflow = own_argo.end(name)
    assert sorted(seen.read_text().split()) == [str(i) for i in range(8)]
    codes = {key: node["outputs"]["exitCode"] for key, node in pods(workflow).items()}
    assert codes == {f"group({i}:{i})": str(i) for i in range(8)}
    assert sorted(own_argo.logs(name)) == [f"log-{i}" for i in range(8)]


def test_many_kills_in_a_row(own_argo: Argo, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    name = own_argo.run(task_group_spec(f"echo {{{{inputs.parameters.item}}}} >> {seen}", list(range(150))))
    for number in range(8):
        # A call makes the loop save while events of the TaskGroup still gather.
        template = {"metadata": {"name": f"t{number}"}, "spec": pod_spec("true")}
        own_argo.call("POST", "/workflow-templates/argo", {"template": template})
        time.sleep(0.02 * (number % 3))
        own_argo.kill()
        own_argo.start()
    workflow = own_argo.end(name)
    assert workflow["status"]["phase"] == "Succeeded"
    assert sorted(map(int, seen.read_text().split())) == list(range(150))


def test_a_pod_that_ends_while_no_server_runs_is_not_lost(own_argo: Argo) -> None:
    spec = pod_spec("sleep 0.5; printf result > /tmp/out; exit 0")
    spec["templates"][0]["outputs"] = {"parameters": [{"name": "out", "valueFrom": {"path": "/tmp/out"}}]}
    name = own_argo.run(spec)
    own_argo.until(
        name, lambda workflow: workflow["status"].get("nodes", {}).get(name, {}).get("phase") == "Running"
    )
    own_argo.kill()
    time.sleep(1)
    own_argo.start()
    node = own_argo.end(name)["status"]["nodes"][name]
    assert node["phase"] == "Succeeded"
    assert node["outputs"]["parameters"][0]["value"] == "result"


def test_a_pod_is_not_lost_while_its_keeper_is_about_to_tell_of_its_end(own_argo: Argo) -> None:
    name = own_argo.run(pod_spec("echo $$PPID $$$$; sleep 0.5"))
    own_argo.until(name, lambda workflow: own_argo.logs(name))
    keeper, pod = map(int, own_argo.logs(name)[0].split())
    own_argo.kill()
    os.kill(keeper, signal.SIGSTOP)  # as on a machine that has too much to do
    try:
        own_argo.start()
        own_argo.wait(lambda: began(pod) is None)
        time.sleep(1)
        assert own_argo.get(name)["status"]["phase"] == "Running"
    finally:
        os.kill(keeper, signal.SIGCONT)
    assert own_argo.end(name)["status"]["phase"] == "Succeeded"


def test_a_pod_that_vanished_is_an_error(own_argo: Argo) -> None:
    name = own_argo.run(pod_spec("echo $$PPID $$$$; sleep 60"))
    own_argo.until(name, lambda workflow: own_argo.logs(name))
    keeper, pod = map(int, own_argo.logs(name)[0].split())
    own_argo.kill()
    os.kill(keeper, signal.SIGKILL)
    os.killpg(pod, signal.SIGKILL)
    own_argo.start()
    node = own_argo.end(name)["status"]["nodes"][name]
    assert (node["phase"], node["message"]) == ("Error", "pod deleted")


def test_a_deadline_holds_across_a_restart(own_argo: Argo) -> None:
    name = own_argo.run(pod_spec("sleep 60", activeDeadlineSeconds=2))
    own_argo.until(
        name, lambda workflow: workflow["status"].get("nodes", {}).get(name, {}).get("phase") == "Running"
    )
    own_argo.kill()
    own_argo.start()
    node = own_argo.end(name, seconds=20)["status"]["nodes"][name]
    assert node["phase"] == "Failed"
    assert node["message"] == "Pod was active on the node longer than the specified deadline"


def test_a_terminated_workflow_stays_so_across_a_restart(own_argo: Argo) -> None:
    name = own_argo.run(pod_spec("trap '' TERM; echo up; while true; do sleep 0.1; done"))
    own_argo.until(name, lambda workflow: own_argo.logs(name))
    own_argo.call("PUT", f"/workflows/argo/{name}/terminate", {})
    own_argo.kill()
    own_argo.start()
    workflow = own_argo.get(name)
    assert workflow["spec"]["shutdown"] == "Terminate"
    assert workflow["status"]["nodes"][name]["phase"] == "Failed"


def test_what_was_answered_is_there_after_a_kill(own_argo: Argo) -> None:
    own_argo.call(
        "POST",
        "/workflow-templates/argo",
        {"template": {"metadata": {"name": "t"}, "spec": pod_spec("true")}},
    )
    version = own_argo.call("GET", "/workflow-templates/argo/t")["metadata"]["resourceVersion"]
    own_argo.kill()
    own_argo.start()
    found = own_argo.call("GET", "/workflow-templates/argo/t")
    assert found["metadata"]["resourceVersion"] == version
    made = own_argo.call(
        "POST",
        "/workflow-templates/argo",
        {"template": {"metadata": {"name": "u"}, "spec": pod_spec("true")}},
    )
    assert int(made["metadata"]["resourceVersion"]) > int(version)


def test_a_lock_is_neither_lost_nor_doubled_by_a_kill(own_argo: Argo, tmp_path: Path) -> None:
    """One workflow holds a mutex and two wait, each with two pods; the server is killed again and again."""
    seen, go = tmp_path / "seen", tmp_path / "go"
    inside = f"echo in >> {seen}; while test ! -e {go}; do sleep 0.02; done; sleep 0.05; echo out >> {seen}"
    spec = task_group_spec(inside, [1, 2])
    spec["templates"][0]["synchronization"] = {"mutexes": [{"name": "lock"}]}
    names = [own_argo.run(spec) for _ in range(3)]
    own_argo.until(names[0], lambda workflow: pods(workflow)["group(0:1)"]["phase"] == "Running")
    own_argo.until(names[2], lambda workflow: len(pods(workflow)) == 2)
    own_argo.kill()
    own_argo.start()
    waiting = pods(own_argo.get(names[1])) | pods(own_argo.get(names[2]))
    assert {node["synchronizationStatus"]["waiting"] for node in waiting.values()} == {"argo/Mutex/lock"}
    own_argo.kill()
    go.touch()  # the pod ends while no server runs
    own_argo.start()
    for pause in (0.1, 0.2):
        time.sleep(pause)
        own_argo.kill()
        own_argo.start()
    assert {own_argo.end(name)["status"]["phase"] for name in names} == {"Succeeded"}
    assert seen.read_text().split() == ["in", "out"] * 6
