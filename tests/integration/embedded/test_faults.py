"""The machine fails the server: a killed keeper, a full disk, a damaged database, a clock that jumps."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from metaflow_hera import __version__
from metaflow_hera.embedded.controller.messages import PodEnded
from metaflow_hera.embedded.errors import ServerError, Unusable
from metaflow_hera.embedded.local import launch
from metaflow_hera.embedded.pods import files
from metaflow_hera.embedded.pods.keeper import began
from metaflow_hera.embedded.pods.pods import Pods
from metaflow_hera.embedded.pods.settings import PodSettings
from metaflow_hera.embedded.storage.store import Store

from .conftest import Argo, pod_spec, pods, task_group_spec

MOVING_SERVER = Path(__file__).parents[2] / "moving_server.py"


def test_a_keeper_that_is_killed_is_replaced(own_argo: Argo) -> None:
    one = own_argo.run(pod_spec("echo $$PPID; sleep 1"))
    own_argo.until(one, lambda workflow: own_argo.logs(one))
    os.kill(int(own_argo.logs(one)[0]), signal.SIGKILL)
    # Nobody knows what came of the pod that it had.
    node = own_argo.end(one)["status"]["nodes"][one]
    assert (node["phase"], node["message"]) == ("Error", "pod deleted")
    other = own_argo.end(own_argo.run(task_group_spec("true", list(range(20)))))
    assert other["status"]["phase"] == "Succeeded"


def test_the_end_of_a_keeper_is_seen_while_its_pods_live_on(own_argo: Argo) -> None:
    spec = task_group_spec("echo $$PPID; sleep {{inputs.parameters.item}}", [1, 60], parallelism=2)
    name = own_argo.run(spec)
    own_argo.until(name, lambda workflow: len(own_argo.logs(name)) == 2)
    os.kill(int(own_argo.logs(name)[0]), signal.SIGKILL)
    own_argo.until(name, lambda workflow: pods(workflow)["group(0:1)"]["phase"] == "Error")
    own_argo.call("PUT", f"/workflows/argo/{name}/terminate", {})
    own_argo.end(name)


def test_what_a_lost_pod_leaves_behind_ends_with_it(own_argo: Argo) -> None:
    name = own_argo.run(pod_spec("sleep 600 & echo $$PPID $$$$ $$!; sleep 60"))
    own_argo.until(name, lambda workflow: own_argo.logs(name))
    keeper, pod, behind = map(int, own_argo.logs(name)[0].split())
    os.kill(keeper, signal.SIGKILL)
    os.kill(pod, signal.SIGKILL)
    assert began(behind)
    assert own_argo.end(name)["status"]["phase"] == "Error"
    own_argo.wait(lambda: began(behind) is None)


def test_what_waits_when_the_server_stops_waits_for_the_next_one(own_argo: Argo, tmp_path: Path) -> None:
    limit = os.cpu_count() or 1
    ran = tmp_path / "ran"
    name = own_argo.run(task_group_spec(f"echo >> {ran}; sleep 2", list(range(2 * limit))))
    own_argo.wait(lambda: ran.exists() and len(ran.read_text()) == limit)
    launch.stop(own_argo.home)
    time.sleep(3)
    assert len(ran.read_text()) == limit
    own_argo.start()
    assert own_argo.end(name)["status"]["phase"] == "Succeeded"
    assert len(ran.read_text()) == 2 * limit


def test_a_keeper_ends_with_its_last_pod(own_argo: Argo) -> None:
    name = own_argo.run(pod_spec("echo $$PPID; sleep 1"))
    own_argo.until(name, lambda workflow: own_argo.logs(name))
    keeper = int(own_argo.logs(name)[0])
    launch.stop(own_argo.home)
    os.kill(keeper, 0)
    own_argo.wait(lambda: not is_there(keeper))
    own_argo.start()
    assert own_argo.end(name)["status"]["phase"] == "Succeeded"


def is_there(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own of 24 MB, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", disk], check=False)


def test_a_full_disk_stops_the_work_and_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    argo = Argo(small_disk / "home")
    name = argo.run(task_group_spec("sleep 0.02", list(range(200))))
    argo.until(name, lambda workflow: len(pods(workflow)) > 2)
    fill(small_disk / "fill")
    argo.wait(lambda: fails(argo))
    argo.wait(lambda: launch.status(argo.home) is None)
    with pytest.raises((Unusable, ServerError), match=r"disk is full|No space left|is full"):
        launch.start(argo.home, __version__)
    (small_disk / "fill").unlink()
    argo.start()
    workflow = argo.end(name)
    assert workflow["status"]["phase"] == "Succeeded"
    assert len(pods(workflow)) == 200
    argo.close()


def test_pods_wait_while_the_disk_is_full(small_disk: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "argo.db")
    (small_disk / "home").mkdir()
    pods_here = Pods(small_disk / "home", store, PodSettings(1))
    template = {"container": {"command": ["cat"]}, "source": "x" * 100_000}
    manifest = {"name": "p", "namespace": "n", "uid": "u", "template": template}
    with store.transaction():
        row = pods_here.new_row("wf", "node", "p", json.dumps(manifest), None)
        store.put_pods([row])
    fill(small_disk / "fill")
    pods_here.queue(row)
    assert list(pods_here.start_ready(0)) == []
    assert pods_here.waiting("wf") == 1
    assert pods_here.wake_at() == 1
    (small_disk / "fill").unlink()
    assert list(pods_here.start_ready(0.5)) == []
    assert pods_here.waiting("wf") == 1
    assert list(pods_here.start_ready(1)) == []
    assert pods_here.waiting("wf") == 0
    assert (pods_here.wake_at() or 2) > 1
    told: list[Any] = []
    while len(told) < 2:
        select.select(pods_here.sources(), [], [])
        told += pods_here.collect(1)
    assert told[-1] == ("wf", PodEnded("node", 0, by_itself=True))
    pods_here.close()
    store.close()


def fails(argo: Argo) -> bool:
    """Whether the server can store nothing more: it may have some room left in its own files."""
    made = {
        "metadata": {"generateName": "t-", "annotations": {"long": "x" * 50_000}},
        "spec": pod_spec("true"),
    }
    try:
        return argo.http.post("/workflow-templates/argo", json={"template": made}).status_code != 200
    except httpx.HTTPError:
        return True


def fill(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while True:
            os.write(descriptor, b"x" * 4096)
    os.close(descriptor)


def test_a_damaged_database_is_told_and_left_alone(own_argo: Argo) -> None:
    own_argo.end(own_argo.run(task_group_spec("true", list(range(50)))))
    own_argo.http.close()
    launch.stop(own_argo.home)
    database = own_argo.home / "argo.db"
    whole = database.read_bytes()
    database.write_bytes(whole[:100] + os.urandom(len(whole) - 100))
    with pytest.raises((Unusable, ServerError), match=r"argo\.db|malformed|not a database"):
        launch.start(own_argo.home, __version__)
    database.write_bytes(whole)
    own_argo.start()
    assert own_argo.call("GET", "/workflows/argo")["items"]


@pytest.mark.parametrize("jump", [-7200.0, 7200.0])
def test_a_clock_that_jumps_ends_no_pod(tmp_path: Path, jump: float) -> None:
    home, ahead = tmp_path / "home", tmp_path / "ahead"
    ahead.write_text("0")
    server = subprocess.Popen([sys.executable, str(MOVING_SERVER), str(home), str(ahead)])
    while launch.status(home) is None:
        time.sleep(0.02)
    argo = Argo(home)
    name = argo.run(task_group_spec("sleep 0.3; echo done", list(range(6))))
    argo.until(name, lambda workflow: any(n["phase"] == "Running" for n in pods(workflow).values()))
    ahead.write_text(str(jump))
    workflow = argo.end(name)
    assert workflow["status"]["phase"] == "Succeeded"
    assert argo.logs(name) == ["done"] * 6
    argo.close()
    server.wait()


def test_a_log_that_is_too_long_keeps_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LOG_LIMIT", 1000)
    monkeypatch.setattr(files, "LOG_KEPT", 100)
    log = tmp_path / "p.logs"
    log.write_text("".join(f"line {number}\n" for number in range(50)))
    files.shorten(str(log))
    assert len(log.read_text().splitlines()) == 50
    log.write_text("".join(f"line {number}\n" for number in range(500)))
    files.shorten(str(log))
    lines = log.read_text().splitlines()
    assert lines[0] == "[earlier lines were dropped: the log was too long]"
    assert lines[-1] == "line 499"
    assert len(log.read_bytes()) < 200
