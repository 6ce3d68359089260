"""What a pod may have: memory up to its limit, and volumes of its own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from .conftest import Argo, pod_spec

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory a process has")
OUT_OF_MEMORY = ("Failed", "main: OOMKilled (exit code 137)")


def python_pod(script: str, limit: str | None, **template: Any) -> dict[str, Any]:
    """A workflow of one pod that runs a Python script, with a limit of its memory."""
    resources = {"resources": {"limits": {"memory": limit, "cpu": "1"}}} if limit else {}
    container = {"command": [sys.executable, "-c"], "args": [script], **resources}
    return pod_spec("", container=container, **template)


def node_of(argo: Argo, spec: dict[str, Any]) -> Any:
    name = argo.run(spec)
    return argo.end(name)["status"]["nodes"][name]


def holding(megabytes: int) -> str:
    """A script that holds so much memory until it is killed."""
    return f"import time; held = bytearray({megabytes} * 1_000_000); time.sleep(600)"


@linux
def test_a_pod_above_its_limit_is_killed(argo: Argo) -> None:
    node = node_of(argo, python_pod(holding(300), "200M"))
    assert (node["phase"], node["message"]) == OUT_OF_MEMORY
    assert node["outputs"]["exitCode"] == "137"


@linux
def test_what_its_children_hold_counts_as_well(argo: Argo) -> None:
    start = f"subprocess.Popen([sys.executable, '-c', {holding(60)!r}])"
    script = (
        f"import subprocess, sys, time; children = [{start} for _ in range(4)]\n"
        "while all(child.poll() is None for child in children): time.sleep(0.05)\n"
        "sys.exit(3)"
    )
    node = node_of(argo, python_pod(script, "200M"))
    assert (node["phase"], node["message"]) == ("Failed", "main: OOMKilled (exit code 3)")


def test_the_termination_message_of_a_pod_that_fails_is_argos_message(argo: Argo) -> None:
    script = "import os; open(os.environ['TO'], 'w').write('it was {}' * 2000); raise SystemExit(4)"
    spec = python_pod(script, None)
    spec["templates"][0]["container"]["env"] = [{"name": "TO", "value": "/dev/termination-log"}]
    message = node_of(argo, spec)["message"]
    assert message.startswith("main: Error (exit code 4): it was {}it was {}")
    assert len(message) < 4200


@linux
def test_what_forked_processes_share_counts_once(argo: Argo) -> None:
    script = (
        "import os, time; held = bytearray(120_000_000)\n"
        "pids = [os.fork() or (time.sleep(1.5), os._exit(0)) for _ in range(4)]\n"
        "[os.waitpid(pid, 0) for pid in pids]"
    )
    assert node_of(argo, python_pod(script, "250M"))["phase"] == "Succeeded"


@pytest.fixture
def disk(pytestconfig: pytest.Config) -> Iterator[Path]:
    """A folder on the disk of the clone: what lies in the folders of tests may lie in memory."""
    place = pytestconfig.rootpath / ".pytest_cache"
    place.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=place) as folder:
        yield Path(folder)


@linux
def test_a_file_that_is_mapped_is_no_memory_of_a_pod(argo: Argo, disk: Path) -> None:
    file = disk / "large"
    with file.open("wb") as empty:
        empty.truncate(300_000_000)
    script = (
        f"import mmap, time; file = open({str(file)!r}, 'rb')\n"
        "m = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)\n"
        "sum(m[i] for i in range(0, len(m), 4096)); time.sleep(1)"
    )
    assert node_of(argo, python_pod(script, "150M"))["phase"] == "Succeeded"


def test_a_pod_below_its_limit_or_without_one_runs(argo: Argo) -> None:
    for limit in ("1Gi", "0", None):
        script = "held = bytearray(200_000_000); import time; time.sleep(0.8)"
        assert node_of(argo, python_pod(script, limit))["phase"] == "Succeeded"


@linux
def test_a_pod_that_was_killed_is_tried_again(argo: Argo, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    once = (
        f"import os, sys; mark = {str(mark)!r}; os.path.exists(mark) and sys.exit(); open(mark, 'w').close()"
    )
    retry = {"limit": 2, "retryPolicy": "Always"}
    spec = python_pod(f"{once}; {holding(300)}", "200M", retryStrategy=retry)
    assert node_of(argo, spec)["phase"] == "Succeeded"
    assert mark.exists()


@linux
def test_a_limit_holds_after_the_server_was_killed(own_argo: Argo, tmp_path: Path) -> None:
    go = tmp_path / "go"
    wait = f"print('up', flush=True)\nwhile not os.path.exists({str(go)!r}): time.sleep(0.05)"
    name = own_argo.run(python_pod(f"import os, time\n{wait}\n{holding(300)}", "200M"))
    own_argo.until(name, lambda workflow: own_argo.logs(name))
    own_argo.kill()
    own_argo.start()
    go.touch()
    node = own_argo.end(name)["status"]["nodes"][name]
    assert (node["phase"], node["message"]) == OUT_OF_MEMORY


@linux
def test_a_pod_that_passed_its_limit_while_no_server_ran(own_argo: Argo) -> None:
    name = own_argo.run(python_pod("import time; time.sleep(1); " + holding(300), "200M"))
    own_argo.until(
        name, lambda workflow: workflow["status"].get("nodes", {}).get(name, {}).get("phase") == "Running"
    )
    own_argo.kill()
    time.sleep(1.5)
    own_argo.start()
    node = own_argo.end(name)["status"]["nodes"][name]
    assert (node["phase"], node["message"]) == OUT_OF_MEMORY


# Volumes.

VOLUME = {"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "10Mi"}}
MOUNT = {"name": "scratch", "mountPath": "/scratch"}


def volume_pod(command: str, env: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    variables = [{"name": name, "value": value} for name, value in (env or {}).items()]
    mounts = more.pop("mounts", [MOUNT])
    container = {"volumeMounts": mounts, "env": variables, **more.pop("container", {})}
    return pod_spec(command, container=container, **{"volumes": [VOLUME], **more})


def test_a_volume_is_a_folder_of_the_pods_own(argo: Argo) -> None:
    command = 'ls -A /scratch; echo one >/scratch/a; mkdir "$DEEP"; cat "$DIR/a"; ls /scratch; echo /scratchy'
    env = {"DIR": "/scratch", "DEEP": "/scratch/deep"}
    for _ in range(2):  # empty each time
        node = node_of(argo, volume_pod(command, env))
        assert node["phase"] == "Succeeded", node
        assert argo.logs(node["name"]) == ["one", "a", "deep", "/scratchy"]
    assert not os.path.exists("/scratch")


def test_a_volume_is_gone_when_its_pod_is(argo: Argo) -> None:
    node = node_of(argo, volume_pod("echo /scratch/x; echo x >/scratch/x"))
    (path,) = argo.logs(node["name"])
    argo.wait(lambda: not Path(path).parent.exists())


def test_an_output_may_lie_in_a_volume(argo: Argo) -> None:
    outputs = {"parameters": [{"name": "out", "valueFrom": {"path": "/scratch/deep/out"}}]}
    command = 'mkdir "$DIR/deep"; printf two >"$DIR/deep/out"'
    node = node_of(argo, volume_pod(command, {"DIR": "/scratch"}, outputs=outputs))
    assert node["outputs"]["parameters"][0]["value"] == "two"


def test_a_volume_may_be_mounted_twice_and_be_the_workflows(argo: Argo) -> None:
    mounts = [MOUNT, {"name": "scratch", "mountPath": "/other/"}]
    command = "echo x >/scratch/x; cat /other/x; pwd"
    spec = volume_pod(command, mounts=mounts, container={"workingDir": "/other"})
    spec["volumes"] = spec["templates"][0].pop("volumes")
    node = node_of(argo, spec)
    text, folder = argo.logs(node["name"])
    assert text == "x"
    assert "/pods/" in folder


def test_a_volume_that_nobody_declares_is_an_error(argo: Argo) -> None:
    node = node_of(argo, volume_pod("true", volumes=[]))
    assert (node["phase"], node["message"]) == ("Error", "volume 'scratch' not found in workflow spec")


def test_shared_memory_is_the_machines(argo: Argo) -> None:
    mount = {"name": "scratch", "mountPath": "/dev/shm"}
    node = node_of(argo, volume_pod("echo /dev/shm/x", mounts=[mount]))
    assert argo.logs(node["name"]) == ["/dev/shm/x"]


def test_the_service_account_of_a_template_is_its_pods(argo: Argo) -> None:
    entry = {"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "spec.serviceAccountName"}}}
    spec = pod_spec("echo $WHO", container={"env": [entry]}, serviceAccountName="own")
    node = node_of(argo, {**spec, "serviceAccountName": "everyones"})
    assert argo.logs(node["name"]) == ["own"]
