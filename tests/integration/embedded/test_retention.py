"""What the server forgets by itself, and what it keeps."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from metaflow_hera.embedded.storage.retention import Retention, lifetime
from metaflow_hera.embedded.storage.store import Store

from .conftest import Argo, pod_spec


def is_gone(argo: Argo, name: str) -> bool:
    answer: httpx.Response = argo.http.get(f"/workflows/argo/{name}")
    return answer.status_code == 404


@pytest.mark.parametrize(
    ("command", "strategy", "goes"),
    [
        ("true", {"secondsAfterCompletion": 1}, True),
        ("true", {"secondsAfterSuccess": 1}, True),
        ("false", {"secondsAfterFailure": 1}, True),
        ("false", {"secondsAfterSuccess": 1}, False),
        ("true", {"secondsAfterFailure": 1}, False),
        ("true", {"secondsAfterCompletion": 1, "secondsAfterSuccess": 3600}, False),
    ],
)
def test_a_workflow_goes_when_its_ttl_says_so(
    argo: Argo, command: str, strategy: dict[str, int], goes: bool
) -> None:
    spec = {**pod_spec(command), "ttlStrategy": strategy}
    body = {"workflow": {"metadata": {"generateName": "ttl-"}, "spec": spec}}
    made = argo.call("POST", "/workflows/argo", body)["metadata"]  # it may be gone before anybody asks again
    name, folder = made["name"], argo.home / "pods" / made["uid"]
    other = argo.run({**pod_spec("true"), "ttlStrategy": {"secondsAfterCompletion": 1}})
    argo.wait(lambda: is_gone(argo, other))
    assert is_gone(argo, name) is goes
    argo.wait(lambda: folder.exists() is not goes)


def test_a_ttl_that_ran_out_while_no_server_ran(own_argo: Argo) -> None:
    name = own_argo.run({**pod_spec("true"), "ttlStrategy": {"secondsAfterCompletion": 3}})
    own_argo.end(name)
    own_argo.kill()
    time.sleep(3)
    own_argo.start()
    own_argo.wait(lambda: is_gone(own_argo, name))


def test_files_of_runs_that_are_gone_go_with_the_next_start(own_argo: Argo) -> None:
    uid = own_argo.end(own_argo.run(pod_spec("true")))["metadata"]["uid"]
    own_argo.kill()
    folders = own_argo.home / "pods"
    left = folders / "of-a-run-that-was-deleted"
    left.mkdir()
    (left / "p.logs").touch()
    own_argo.start()
    own_argo.wait(lambda: not left.exists())
    assert (folders / uid).is_dir()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may remove anything")
def test_what_a_pod_has_made_read_only_goes_too(argo: Argo) -> None:
    name = argo.run(pod_spec("mkdir -p kept/inside; touch kept/inside/file; chmod -R a-w kept"))
    folder = argo.home / "pods" / argo.end(name)["metadata"]["uid"]
    argo.wait(lambda: not (folder / name).exists())


def test_a_template_tells_how_long_its_workflows_are_kept(argo: Argo) -> None:
    spec = {**pod_spec("true"), "ttlStrategy": {"secondsAfterCompletion": 0}}
    argo.call("POST", "/workflow-templates/argo", {"template": {"metadata": {"name": "brief"}, "spec": spec}})
    body = {"resourceKind": "WorkflowTemplate", "resourceName": "brief"}
    name = argo.call("POST", "/workflows/argo/submit", body)["metadata"]["name"]
    argo.wait(lambda: is_gone(argo, name))


def ended(store: Store, name: str, at: float, nodes: int) -> None:
    meta = {"uid": name, "namespace": "n", "name": name, "resourceVersion": str(store.next_version())}
    workflow: dict[str, Any] = {"metadata": meta, "spec": {}, "status": {"phase": "Succeeded"}}
    store.put_spec(workflow)
    store.put_workflow(workflow, at, at)
    store.put_nodes(name, ((f"{name}-{i}", {}) for i in range(nodes)))


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path) -> None:
    store = Store(tmp_path / "argo.db")
    with store.transaction():
        for number in range(6):
            ended(store, f"w{number}", float(number), 10)
    assert store.beyond(4, 1000) == ["w1", "w0"]
    assert store.beyond(100, 35) == ["w2", "w1", "w0"]
    assert store.beyond(0, 0) == ["w4", "w3", "w2", "w1", "w0"]
    retention = Retention(store)
    retention.load()
    assert list(retention.due(100.0)) == []
    assert retention.wake_at() is None
    store.close()


@pytest.mark.parametrize(
    ("phase", "strategy", "seconds"),
    [
        ("Succeeded", {}, None),
        ("Succeeded", {"secondsAfterCompletion": 5, "secondsAfterSuccess": 0}, 0),
        ("Error", {"secondsAfterCompletion": 5, "secondsAfterSuccess": 0}, 5),
        ("Error", {"secondsAfterFailure": 7}, 7),
    ],
)
def test_which_time_counts(phase: str, strategy: dict[str, int], seconds: float | None) -> None:
    assert lifetime(phase, json.loads(json.dumps(strategy))) == seconds


def test_after_a_retry_its_own_end_counts(argo: Argo, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    strategy = {"secondsAfterFailure": 4, "secondsAfterSuccess": 3600}
    name = argo.run({**pod_spec(f"test -e {mark}"), "ttlStrategy": strategy})
    argo.end(name)
    mark.touch()
    argo.call("PUT", f"/workflows/argo/{name}/retry", {})
    argo.end(name)
    other = argo.run({**pod_spec("sleep 3"), "ttlStrategy": {"secondsAfterCompletion": 3}})
    argo.wait(lambda: is_gone(argo, other))
    assert not is_gone(argo, name)


def test_a_pod_takes_its_folder_with_it(argo: Argo) -> None:
    name = argo.run(pod_spec("mkdir a; echo x > a/b; pwd"))
    workflow = argo.end(name)
    folder = Path(argo.logs(name)[0])
    assert folder.is_relative_to(argo.home / "pods" / workflow["metadata"]["uid"])
    argo.wait(lambda: not folder.exists())
