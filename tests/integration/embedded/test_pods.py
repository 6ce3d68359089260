"""What the process of a pod gets, and what becomes of it."""

from __future__ import annotations

import json
import os
import select
import time
from pathlib import Path
from typing import Any

import pytest

from metaflow_hera.embedded.controller.messages import PodEnded, PodRunning
from metaflow_hera.embedded.pods.containers import IDENTITY, INHERITED, NETWORK
from metaflow_hera.embedded.pods.files import read_progress
from metaflow_hera.embedded.pods.pods import GRACE, Pods
from metaflow_hera.embedded.pods.settings import PodSettings
from metaflow_hera.embedded.storage.store import Store

from .conftest import Argo, pod_spec, pods, task_group_spec

OUT = {"parameters": [{"name": "out", "valueFrom": {"path": "/tmp/out", "default": "none"}}]}


def run_pod(argo: Argo, command: str, **template: Any) -> Any:
    """The node of a workflow of one pod, after its end."""
    name = argo.run(pod_spec(command, **template))
    return argo.end(name)["status"]["nodes"][name]


def output(node: Any) -> str:
    return str(node["outputs"]["parameters"][0]["value"])


def test_the_paths_of_outputs_are_the_pods_own(argo: Argo) -> None:
    node = run_pod(
        argo, "printf '%s' one >/tmp/out; cat /tmp/out; echo /tmp/outer /data/tmp/out", outputs=OUT
    )
    assert output(node) == "one"
    assert not Path("/tmp/out").exists()
    name = node["name"]
    assert argo.logs(name) == ["one/tmp/outer /data/tmp/out"]


def test_a_pod_tells_how_far_it_is(argo: Argo) -> None:
    wait = 'until [ -e "$1" ]; do sleep 0.1; done'
    name = argo.run(pod_spec(f"echo 2/7 >/var/run/argo/progress; set -- $PWD/../go; {wait}; exit 1"))

    def told(progress: str) -> Any:
        status = argo.until(name, lambda wf: wf["status"].get("progress") == progress)["status"]
        assert status["nodes"][name]["progress"] == progress
        return status

    told("2/7")
    (folder,) = (argo.home / "pods").glob(f"*/{name}")
    assert folder.with_name(f"{name}.progress").read_text() == "2/7\n"
    (folder.parent / "go").touch()
    status = argo.end(name)["status"]
    assert (status["phase"], status["progress"]) == ("Failed", "2/7")
    assert not folder.with_name(f"{name}.progress").exists()


@pytest.mark.parametrize("told", ["", "a/b", "3/2", "0/0", "-1/3", "1/2 of it", "9" * 5000 + "/1"])
def test_a_progress_that_argo_would_not_take_changes_nothing(tmp_path: Path, told: str) -> None:
    place = tmp_path / "progress"
    place.write_text(f"1/2\n{told}\n" if told else "")
    assert read_progress(str(place)) is None
    place.write_text("1/2\n 2/3 \n\n")
    assert read_progress(str(place)) == (2, 3)


def test_a_path_in_the_environment_is_rewritten_too(argo: Argo) -> None:
    container = {"env": [{"name": "TO", "value": "/tmp/out"}]}
    node = run_pod(argo, 'printf "%s" "$(TO)" | sed "s|.*/||" >"$TO"', outputs=OUT, container=container)
    assert output(node).endswith("-out")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("printf 'a\\n\\n' >/tmp/out", "a\n"),
        ("true", "none"),
        ("printf '\\303\\244\\377' >/tmp/out", "ä\ufffd"),
    ],
)
def test_outputs_are_read_as_argo_reads_them(argo: Argo, command: str, expected: str) -> None:
    assert output(run_pod(argo, command, outputs=OUT)) == expected


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("ln -s /etc/passwd /tmp/out", "leads out of the pod's folder"),
        ("mkfifo /tmp/out", "not a plain file"),
        ("head -c 300000 /dev/zero >/tmp/out", "Too long"),
    ],
)
def test_an_output_that_cannot_be_taken_is_an_error(argo: Argo, command: str, message: str) -> None:
    node = run_pod(argo, command, outputs=OUT)
    assert node["phase"] == "Error"
    assert message in node["message"]


def test_dollars_are_expanded_as_by_kubernetes(argo: Argo) -> None:
    container = {
        "command": ["printf", "%s|"],
        "args": ["$(A)", "$$(A)", "$(NO)", "$$", "$A", "$(B)", "$(C)", "$("],
        "env": [
            {"name": "A", "value": "a"},
            {"name": "B", "value": "$(A)$(LATER)$$(A)"},
            {"name": "LATER", "value": "l"},
            {"name": "C", "value": "x\ny 'q' \"d\" `id` ü"},
        ],
    }
    node = run_pod(argo, "", container=container)
    assert "\n".join(argo.logs(node["name"])) == "a|$(A)|$(NO)|$|$A|a$(LATER)$(A)|x\ny 'q' \"d\" `id` ü|$(|"


def test_the_environment_is_small_and_the_manifests_own(argo: Argo, monkeypatch: pytest.MonkeyPatch) -> None:
    container = {
        "command": ["env", "-0"],
        "args": [],
        "env": [
            {"name": "with-dash.and.dot", "value": "1"},
            {"name": "IFS", "value": "x"},
            {"name": "pod", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "ns", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {
                "name": "wf",
                "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['workflows.argoproj.io/workflow']"}},
            },
        ],
    }
    node = run_pod(argo, "", container=container)
    pairs = dict(entry.split("=", 1) for entry in "\n".join(argo.logs(node["name"])).split("\0") if entry)
    embedded = {f"EMBEDDED_ARGO_{name}" for name in ("CACHE", "EVENTS_URL", "HOME")}
    base = {*INHERITED, "TMPDIR", "ARGO_PROGRESS_FILE", *embedded, "PWD", "OLDPWD"}
    handed_on = {name for name in pairs if name.startswith(IDENTITY) or name.upper() in NETWORK}
    own = {entry["name"] for entry in container["env"]}  # type: ignore[index]
    assert set(pairs) - base - handed_on == own
    assert pairs["pod"] == node["id"]
    assert pairs["ns"] == "argo"
    assert pairs["wf"] == node["name"]
    assert pairs["with-dash.and.dot"] == "1"
    assert Path(pairs["EMBEDDED_ARGO_CACHE"]).is_dir()


def test_a_builtin_of_the_shell_is_no_program(argo: Argo) -> None:
    node = run_pod(argo, "", container={"command": ["exit"], "args": ["0"]})
    text = 'failed to find name in PATH: exec: "exit": executable file not found in $PATH'
    assert (node["phase"], node["message"]) == ("Failed", f"main: Error (exit code 64): {text}")


def test_a_program_by_path_that_is_not_there(argo: Argo) -> None:
    node = run_pod(argo, "", container={"command": ["/no/such"], "args": []})
    assert node["outputs"]["exitCode"] == "64"
    assert "/no/such" in node["message"]


def test_the_working_directory_is_honoured(argo: Argo, tmp_path: Path) -> None:
    node = run_pod(argo, "pwd", container={"workingDir": str(tmp_path)})
    assert argo.logs(node["name"]) == [str(tmp_path)]


def test_a_pod_leaves_no_process_behind(argo: Argo, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    run_pod(argo, f"(sleep 1; touch {mark}) & echo $$!; exit 0")
    run_pod(argo, "sleep 1.5")
    assert not mark.exists()


def test_standard_output_and_error_are_one_log(argo: Argo) -> None:
    node = run_pod(argo, "echo one; echo two >&2; printf three")
    assert argo.logs(node["name"]) == ["one", "two", "three"]
    assert argo.logs(node["name"], "logOptions.tailLines=2") == ["two", "three"]
    assert argo.logs(node["name"], "grep=t%5Bwh%5D") == ["two", "three"]
    assert argo.logs(node["name"], "logOptions.container=wait") == []


def test_sigterm_reaches_the_process_and_its_exit_code_is_kept(argo: Argo) -> None:
    name = argo.run(pod_spec("trap 'echo got; exit 7' TERM; echo up; while true; do sleep 0.05; done"))
    argo.until(name, lambda workflow: argo.logs(name))
    argo.call("PUT", f"/workflows/argo/{name}/stop", {})
    argo.end(name)
    assert [line for line in argo.logs(name) if line != "Terminated"] == [
        "up",
        "got",
    ]  # the shell's, of sleep


def until_told(pods_here: Pods, now: float) -> list[Any]:
    """What the keeper tells next."""
    while True:
        if told := list(pods_here.collect(now)):
            return told
        select.select(pods_here.sources(), [], [])


def some_pod(script: str) -> str:
    """What starting a pod takes."""
    container = {"command": ["sh", "-c"], "args": [script]}
    return json.dumps({"name": "p", "namespace": "n", "uid": "u", "template": {"container": container}})


def ask_for(pods_here: Pods, store: Store, script: str) -> None:
    """Ask for the pod of a node, perhaps once more."""
    with store.transaction():
        row = pods_here.new_row("wf", "node", "p", some_pod(script), None)
        store.put_pods([row])
    pods_here.carry_out()
    pods_here.queue(row)


def wait_for_text(file: Path, text: str) -> None:
    while not file.exists() or file.read_text() != text:
        time.sleep(0.02)


def test_who_ignores_sigterm_is_killed_after_the_grace_period(tmp_path: Path) -> None:
    store = Store(tmp_path / "argo.db")
    pods_here = Pods(tmp_path, store, PodSettings(1))
    ask_for(pods_here, store, "trap '' TERM; echo up; while true; do sleep 0.05; done")
    assert list(pods_here.start_ready(0)) == []
    assert until_told(pods_here, 0) == [("wf", PodRunning("node"))]
    wait_for_text(tmp_path / "pods" / "wf" / "p.logs", "up\n")
    pods_here.kill("wf", "node", now=100)
    pods_here.carry_out()
    time.sleep(0.3)
    assert list(pods_here.collect(100 + GRACE - 1)) == []
    assert list(pods_here.collect(100 + GRACE + 1)) == []
    pods_here.carry_out()
    assert until_told(pods_here, 100 + GRACE + 1) == [
        ("wf", PodEnded("node", 137, message="main: Error (exit code 137)"))
    ]
    pods_here.close()
    store.close()


def test_a_pod_that_is_asked_for_again_ends_the_one_before(tmp_path: Path) -> None:
    store = Store(tmp_path / "argo.db")
    pods_here = Pods(tmp_path, store, PodSettings(2))
    ask_for(pods_here, store, "trap '' TERM; echo $$; while true; do sleep 0.05; done")
    assert list(pods_here.start_ready(0)) == []
    assert until_told(pods_here, 0) == [("wf", PodRunning("node"))]
    (log,) = (tmp_path / "pods" / "wf").glob("p*.logs")
    while not (pid := log.read_text().strip()):
        time.sleep(0.02)
    pods_here.kill("wf", "node", now=0)
    pods_here.carry_out()
    ask_for(pods_here, store, "sleep 0.3; exit 3")  # a retry, before it has heeded SIGTERM
    assert list(pods_here.start_ready(0)) == []
    told = []
    while len(told) < 2:
        told += until_told(pods_here, 0)
    assert told[0] == ("wf", PodRunning("node"))
    assert told[1] == ("wf", PodEnded("node", 3, message="main: Error (exit code 3)", by_itself=True))
    assert not Path(f"/proc/{pid}").exists()
    pods_here.close()
    store.close()


def test_no_more_pods_run_at_once_than_there_is_room_for(argo: Argo, tmp_path: Path) -> None:
    limit = os.cpu_count() or 1
    counter = "import os,sys,time; p=sys.argv[1]; f=p+'/'+str(os.getpid()); open(f,'w').close(); "
    counter += "print(len(os.listdir(p))); time.sleep(0.1); os.remove(f)"
    folder = tmp_path / "now"
    folder.mkdir()
    spec = task_group_spec(f'python3 -c "{counter}" {folder}', list(range(4 * limit)))
    names = [argo.run(spec), argo.run(spec)]
    for name in names:
        assert argo.end(name)["status"]["phase"] == "Succeeded"
    assert max(int(line) for name in names for line in argo.logs(name)) <= limit


def test_workflows_take_turns(argo: Argo, tmp_path: Path) -> None:
    order = tmp_path / "order"
    wide = argo.run(task_group_spec(f"sleep 0.05; echo wide >> {order}", list(range(60))))
    small = argo.run(task_group_spec(f"echo small >> {order}", [0, 1]))
    argo.end(small)
    assert order.read_text().split().count("wide") < 40
    argo.end(wide)


def test_a_fan_of_two_thousand(argo: Argo) -> None:
    name = argo.run(wide_spec(2000))
    workflow = argo.end(name, seconds=120)
    assert workflow["status"]["phase"] == "Succeeded"
    assert workflow["status"]["progress"] == "2000/2000"
    assert len(pods(workflow)) == 2000


def wide_spec(width: int) -> dict[str, Any]:
    spec = task_group_spec("", list(range(width)))
    spec["templates"][0]["container"] = {"image": "busybox", "command": ["true"]}
    return json.loads(json.dumps(spec))  # type: ignore[no-any-return]
