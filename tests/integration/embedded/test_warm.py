"""Pods that are forked from one process: what they find is what a started one finds, whatever is killed."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from metaflow_hera.embedded.local import launch
from metaflow_hera.embedded.pods import warm
from metaflow_hera.embedded.pods.keeper import began
from metaflow_hera.embedded.pods.warm import Forked, WarmProcesses

from .conftest import Argo, pods

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every pod is started")


@pytest.fixture(scope="module")
def cold() -> bool:
    """The keepers of these tests are those of users: others start warm."""
    return True


PREPARE = """
import os, sys
if __name__ == "__warm__":
    import wave
    wave.prepared_by = os.getpid()
    WAIT
else:
"""
FACTS = """
    import gc, json, select, signal, threading
    mask = os.umask(0)
    print(json.dumps({
        "session": [os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid()],
        "argv": sys.argv,
        "path": sys.path,
        "flags": str(sys.flags),
        "folder": os.path.basename(os.path.dirname(os.path.dirname(os.getcwd()))),
        "temporary": [os.path.dirname(os.environ["TMPDIR"]), os.listdir(os.environ["TMPDIR"])],
        "files": os.listdir("."),
        "variables": sorted(os.environ),
        "own": os.environ["OWN_ONE"],
        "input": os.readlink("/proc/self/fd/0"),
        "outputs": os.path.samefile("/proc/self/fd/1", "/proc/self/fd/2"),
        "descriptors": sorted(map(int, os.listdir("/proc/self/fd")))[:-1],
        "mask": mask,
        "signals": {str(each): str(signal.getsignal(each)) for each in signal.valid_signals()},
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "threads": threading.active_count(),
        "main": threading.current_thread() is threading.main_thread(),
        "names": sorted(vars(sys.modules["__main__"])),
        "collects": gc.isenabled(),
        "buffered": sys.stdout.line_buffering,
    }, sort_keys=True))
"""


def spec(
    body: str, items: int = 1, *, wait: str = "pass", warm: bool = True, alike: str = "OWN_*", **template: Any
) -> Any:
    """A workflow of pods that run a Python program: `body`, in which ITEM is the pod's number."""
    annotations = {"embedded-argo/warm": alike} if warm else {}
    pod = {
        "name": "pod",
        "inputs": {"parameters": [{"name": "item"}]},
        "metadata": {"annotations": annotations},
        "container": {
            "image": "python",
            "command": [sys.executable],
            "args": ["-c", PREPARE.replace("WAIT", wait) + body, "one", "two"],
            "env": [
                {"name": "OWN_ONE", "value": "{{inputs.parameters.item}}"},
                {"name": "ALL", "value": "x"},
            ],
        },
        **template,
    }
    task = {
        "name": "group",
        "template": "pod",
        "withSequence": {"count": str(items)},
        "arguments": {"parameters": [{"name": "item", "value": "{{item}}"}]},
    }
    return {"entrypoint": "main", "templates": [pod, {"name": "main", "dag": {"tasks": [task]}}]}


SAY = "    print(sys.modules['wave'].prepared_by if 'wave' in sys.modules else 0, os.getppid(), os.getpid())"


def said(argo: Argo, name: str) -> list[list[int]]:
    """For each pod of SAY the process that prepared it, or 0, its parent, and itself."""
    return [[int(part) for part in line.split()] for line in argo.logs(name)]


def test_pods_are_forked_from_one_process_and_are_the_keepers(argo: Argo) -> None:
    name = argo.run(spec(SAY, 5))
    assert argo.end(name)["status"]["phase"] == "Succeeded"
    found = said(argo, name)
    assert len(found) == 5
    assert len({prepared for prepared, _, _ in found}) == 1
    assert len({parent for _, parent, _ in found}) == 1
    assert found[0][0] not in (0, found[0][1])
    assert len({pod for _, _, pod in found}) == 5
    again = argo.run(spec(SAY, 1))
    argo.end(again)
    assert said(argo, again)[0][:2] == found[0][:2]


def prepared_by(argo: Argo, work: Any) -> int:
    """The process that prepared the pod of a workflow, which is run for that."""
    name = argo.run(work)
    assert argo.end(name)["status"]["phase"] == "Succeeded"
    return said(argo, name)[0][0]


def test_a_word_that_is_no_variable_tells_pods_apart(argo: Argo) -> None:
    one, other, again = (prepared_by(argo, spec(SAY, alike=f"{word} OWN_*")) for word in ("a1", "b2", "a1"))
    assert one == again != other


def test_the_first_pods_own_variables_are_there_to_prepare_by(argo: Argo) -> None:
    note = "wave.found = (os.environ['EMBEDDED_ARGO_FIRST'], os.environ.get('OWN_ONE'))"
    say = (
        "    print(*sys.modules['wave'].found, os.environ['OWN_ONE'], 'EMBEDDED_ARGO_FIRST' in os.environ)\n"
        "    assert 'OWN_ONE' not in open('/proc/self/environ').read()"
    )
    for alike, named in (("OWN_ONE", True), ("OWN_*", False)):
        name = argo.run(spec(say, 2, wait=note, alike=alike))
        assert argo.end(name)["status"]["phase"] == "Succeeded"
        found = sorted(argo.logs(name))
        assert [line.partition("} ")[2] for line in found] == ["None 0 False", "None 1 False"]
        (first,) = {line.partition(" None")[0] for line in found}
        assert json.loads(first).get("OWN_ONE") in (("0", "1") if named else (None,))


def test_after_an_installation_pods_are_forked_from_another(argo: Argo, tmp_path: Path) -> None:
    """Or a module could be imported of another release than the one that it imports."""
    work = spec(SAY)
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "editable.pth").write_text("/src\n")
    path = f"{packages}:{tmp_path}"
    work["templates"][0]["container"]["env"].append({"name": "PYTHONPATH", "value": path})
    before = [prepared_by(argo, work)]
    (tmp_path / "saved.py").touch()  # in a folder of the user's
    before.append(prepared_by(argo, work))
    assert before[0] == before[1] != 0
    for install in (
        lambda: (packages / "installed.py").touch(),
        lambda: (packages / "editable.pth").write_text("/src\n/more\n"),
    ):
        install()
        after = [prepared_by(argo, work) for _ in range(3)]
        assert after[0] == 0  # it is started: only then is it known
        assert after[1] == after[2] not in (0, before[-1])
        before = after


def test_an_interpreter_that_was_replaced_is_used(argo: Argo, tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.symlink_to(sys.executable)
    work = spec("    print(sys.flags.optimize, sys.modules['wave'].prepared_by)")
    work["templates"][0]["container"]["command"] = [str(program)]
    first = argo.run(work)
    argo.end(first)
    program.unlink()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -O "$@"\n')
    program.chmod(0o755)
    second = argo.run(work)
    argo.end(second)
    ((before, prepared),), ((after, prepared_anew),) = (
        [map(int, line.split()) for line in argo.logs(name)] for name in (first, second)
    )
    assert (before, after) == (0, 1)
    assert prepared != prepared_anew


def test_a_forked_pod_finds_what_a_started_one_finds(argo: Argo) -> None:
    found = []
    for is_warm in (True, False):
        name = argo.run(spec(FACTS, warm=is_warm))
        assert argo.end(name)["status"]["phase"] == "Succeeded", argo.logs(name)
        found.append(json.loads(argo.logs(name)[0]))
    assert found[0] == found[1]
    assert found[0]["argv"] == ["-c", "one", "two"]
    assert found[0]["own"] == "0"


@pytest.mark.parametrize("is_warm", [True, False])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("    sys.exit(7)", "main: Error (exit code 7)"),
        ("    os._exit(8)", "main: Error (exit code 8)"),
        ("    raise ValueError('odd')", "main: Error (exit code 1)"),
        ("    os.kill(os.getpid(), 9)", "main: Error (exit code 137)"),
        ("    os.abort()", "main: Error (exit code 134)"),
        ("    open('/dev/termination-log', 'w').write('why'); sys.exit(2)", "main: Error (exit code 2): why"),
    ],
)
def test_it_ends_as_it_would(argo: Argo, body: str, message: str, is_warm: bool) -> None:
    workflow = argo.end(argo.run(spec(body, warm=is_warm)))
    (pod,) = pods(workflow).values()
    assert (pod["phase"], pod["message"]) == ("Failed", message)
    if "ValueError" in body:
        assert argo.logs(workflow["metadata"]["name"])[-1] == "ValueError: odd"


def test_what_is_left_to_the_end_of_the_interpreter_is_done(argo: Argo) -> None:
    body = "    import atexit; atexit.register(print, 'last'); sys.stdout.write('first ')"
    name = argo.run(spec(body))
    argo.end(name)
    assert argo.logs(name) == ["first last"]


def test_a_forked_pod_is_ended_by_a_signal(argo: Argo) -> None:
    body = """
    import signal, time
    signal.signal(signal.SIGTERM, lambda *_: (print("told"), sys.exit(5)))
    print("ready", flush=True)
    time.sleep(600)
"""
    name = argo.run(spec(body))
    argo.until(name, lambda workflow: argo.logs(name))
    argo.call("PUT", f"/workflows/argo/{name}/stop", {})
    argo.end(name)
    assert argo.logs(name) == ["ready", "told"]


def test_what_a_forked_pod_leaves_behind_ends_with_it(argo: Argo) -> None:
    body = "    import subprocess; print(subprocess.Popen(['sleep', '600']).pid)"
    name = argo.run(spec(body))
    argo.end(name)
    argo.wait(lambda: began(int(argo.logs(name)[0])) is None)


def test_a_process_that_left_its_pods_session_leaves_no_zombie(own_argo: Argo) -> None:
    body = """
    import subprocess
    print(subprocess.Popen(["sleep", "1"], start_new_session=True).pid, flush=True)
"""
    name = own_argo.run(spec(body))
    own_argo.end(name)
    left = int(own_argo.logs(name)[0])
    own_argo.wait(lambda: not Path(f"/proc/{left}").exists())


@pytest.mark.parametrize(
    "wait",
    [
        "sys.exit('not today')",
        "raise ImportError('gone')",
        "os._exit(0)",
        "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    ],
)
def test_pods_that_cannot_be_forked_are_started(argo: Argo, wait: str) -> None:
    name = argo.run(spec(SAY, 3, wait=wait))
    assert argo.end(name)["status"]["phase"] == "Succeeded"
    assert [prepared for prepared, _, _ in said(argo, name)] == [0, 0, 0]


def test_the_program_of_another_language_is_started(argo: Argo) -> None:
    pod = spec(SAY)
    pod["templates"][0]["container"].update(command=["sh"], args=["-c", "echo from a shell"])
    name = argo.run(pod)
    assert argo.end(name)["status"]["phase"] == "Succeeded"
    assert argo.logs(name) == ["from a shell"]


def test_a_variable_that_names_the_pods_folder_keeps_it_from_being_forked(argo: Argo) -> None:
    pod = spec(SAY)
    pod["templates"][0]["container"]["env"].append({"name": "ALSO", "value": "/tmp/out"})
    pod["templates"][0]["outputs"] = {
        "parameters": [{"name": "out", "valueFrom": {"path": "/tmp/out", "default": ""}}]
    }
    name = argo.run(pod)
    assert argo.end(name)["status"]["phase"] == "Succeeded"
    assert said(argo, name)[0][0] == 0


def test_a_killed_warm_process_is_replaced(own_argo: Argo) -> None:
    one = own_argo.run(spec(SAY + "; import time; time.sleep(2)"))
    own_argo.until(one, lambda workflow: own_argo.logs(one))
    prepared, keeper, _ = said(own_argo, one)[0]
    os.kill(prepared, signal.SIGKILL)
    other = own_argo.run(spec(SAY + "; import time; time.sleep(2)"))
    assert own_argo.end(one)["status"]["phase"] == own_argo.end(other)["status"]["phase"] == "Succeeded"
    later, its_parent, _ = said(own_argo, other)[0]
    assert later != prepared
    assert its_parent == keeper


def test_a_stopped_server_leaves_no_warm_process(own_argo: Argo) -> None:
    name = own_argo.run(spec(SAY))
    own_argo.end(name)
    prepared, keeper, _ = said(own_argo, name)[0]
    assert began(prepared)
    launch.stop(own_argo.home)
    own_argo.wait(lambda: began(prepared) is None and began(keeper) is None)
    own_argo.start()


def test_forked_pods_go_on_without_server_and_keeper(own_argo: Argo, tmp_path: Path) -> None:
    done = tmp_path / "done"
    body = f"{SAY[:-1]}, flush=True); import time; time.sleep(3); open({str(done)!r}, 'a').write('x')"
    name = own_argo.run(spec(body))
    own_argo.until(name, lambda workflow: own_argo.logs(name))
    own_argo.kill()
    own_argo.start()
    assert own_argo.end(name)["status"]["phase"] == "Succeeded"
    assert done.read_text() == "x"


def test_a_pod_above_its_memory_limit_is_killed(argo: Argo) -> None:
    pod = spec("    import time; held = bytearray(150_000_000); time.sleep(60)")
    pod["templates"][0]["container"]["resources"] = {"limits": {"memory": "100Mi"}}
    (node,) = pods(argo.end(argo.run(pod))).values()
    assert node["message"] == "main: OOMKilled (exit code 137)"


def test_all_pods_are_started_if_the_machine_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METAFLOW_HERA_COLD_PODS", "1")
    argo = Argo(tmp_path / "home")
    try:
        name = argo.run(spec(SAY))
        assert argo.end(name)["status"]["phase"] == "Succeeded"
        assert said(argo, name)[0][0] == 0
    finally:
        argo.close()


class TestWarmProcesses:
    """Without a keeper: what it hands out, and when it gives up."""

    @pytest.fixture
    def processes(self) -> Iterator[WarmProcesses]:
        found = WarmProcesses()
        yield found
        found.close()

    @staticmethod
    def order(folder: Path, number: int, body: str = "    pass", **shared: str) -> dict[str, Any]:
        program = PREPARE.replace("WAIT", "pass") + body
        env = {"PATH": os.environ["PATH"], "OWN_ONE": str(number), **shared}
        return {
            "start": number,
            "folder": str(folder / f"pod-{number}"),
            "argv": [sys.executable, "-c", program],
            "env": env,
            "cwd": str(folder),
            "own": ["OWN_*"],
        }

    @staticmethod
    def results(processes: WarmProcesses, count: int) -> list[tuple[dict[str, Any], Forked | None]]:
        found: list[tuple[dict[str, Any], Forked | None]] = []
        end = time.monotonic() + 60
        while len(found) < count:
            assert time.monotonic() < end
            found += processes.read(select.select(processes.sources(), [], [], 0.05)[0])
            found += [(order, None) for order in processes.late()]
        return found

    def test_a_pod_without_leave_never_runs(self, processes: WarmProcesses, tmp_path: Path) -> None:
        ran = f"    open({str(tmp_path)!r} + '/ran-' + os.environ['OWN_ONE'], 'w')"
        for number in (1, 2):
            assert processes.take(self.order(tmp_path, number, ran))
        assert len(processes) == 2
        for order, forked in self.results(processes, 2):
            assert forked is not None
            if order["start"] == 1:
                forked.talk.close()
            else:
                forked.go()
            os.waitpid(forked.pid, 0)
        assert [each.name for each in tmp_path.glob("ran-*")] == ["ran-2"]
        assert len(processes) == 0

    def test_a_dropped_order_comes_back_no_more(self, processes: WarmProcesses, tmp_path: Path) -> None:
        for number in (1, 2):
            assert processes.take(self.order(tmp_path, number))
        assert processes.drop(1)
        assert not processes.drop(1)
        ((order, forked),) = self.results(processes, 1)
        assert order["start"] == 2
        assert forked is not None
        forked.talk.close()

    def test_there_are_only_so_many(self, processes: WarmProcesses, tmp_path: Path) -> None:
        taken = [
            processes.take(self.order(tmp_path, number, KIND=str(number))) for number in range(warm.KEPT + 1)
        ]
        assert taken == [True] * warm.KEPT + [False]
        for _, forked in self.results(processes, warm.KEPT):
            assert forked is not None
            forked.talk.close()
        assert processes.take(self.order(tmp_path, 9, KIND="9"))  # now that none of the others is busy
        assert len(processes.sources()) == warm.KEPT

    def test_what_takes_too_long_is_started(
        self, processes: WarmProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(warm, "PATIENCE", 0.1)
        order = self.order(tmp_path, 1)
        told = tmp_path / "pid"
        tells = f"open({str(told)!r}, 'w').write(str(os.getpid()))"
        order["argv"][2] = f"import os, time; {tells}; time.sleep(600)"
        assert processes.take(order)
        while not told.exists() or not told.read_text():
            time.sleep(0.01)
        assert (processes.timeout() or 0) <= 0.1
        assert self.results(processes, 1) == [(order, None)]
        assert not processes.take(order)  # and is not tried again soon
        _, status = os.waitpid(int(told.read_text()), 0)  # what hangs does not stay
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL

    def test_what_has_failed_is_tried_again_after_a_while(
        self, processes: WarmProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(warm, "NEVER", (0.0, 0.5))
        order, flag = self.order(tmp_path, 1), tmp_path / "mended"
        order["argv"][2] = f"import os; os.stat({str(flag)!r}) if __name__ == '__warm__' else None"
        assert processes.take(order)
        assert self.results(processes, 1) == [(order, None)]
        assert not processes.take(order)
        flag.touch()
        end = time.monotonic() + 60
        while not processes.take(order):
            assert time.monotonic() < end
            time.sleep(0.1)
        ((_, forked),) = self.results(processes, 1)
        assert forked is not None
        forked.talk.close()

    def test_a_folder_that_has_gone_is_reported_by_the_start(
        self, processes: WarmProcesses, tmp_path: Path
    ) -> None:
        order = {**self.order(tmp_path, 1), "cwd": str(tmp_path / "gone")}
        assert processes.take(order)
        assert self.results(processes, 1) == [(order, None)]

    def test_a_log_that_cannot_be_opened_is_reported_by_the_start(
        self, processes: WarmProcesses, tmp_path: Path
    ) -> None:
        order = {**self.order(tmp_path, 1), "folder": str(tmp_path / "gone" / "pod")}
        assert processes.take(order)
        assert self.results(processes, 1) == [(order, None)]
        assert not processes.take({**order, "start": 2})


def test_no_secret_is_in_the_list_of_processes(argo: Argo) -> None:
    """Here, where server, keeper and pods start as those of users do."""
    sleeping = "    import time; time.sleep(60)"
    names = [argo.run(spec(sleeping, warm=is_warm)) for is_warm in (True, False)]
    for name in names:
        argo.until(name, lambda workflow: "Running" in [pod["phase"] for pod in pods(workflow).values()])
    files = (argo.home / each for each in ("webhook", "session"))
    secrets = [argo.server.token, *(each.read_text().strip() for each in files)]
    processes = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
    for shown in ("embedded.server", "embedded.pods.keeper", "A process from which pods are forked"):
        assert shown in processes
    assert not [secret for secret in secrets if secret in processes]
    for name in names:
        argo.call("DELETE", f"/workflows/argo/{name}")


def test_those_of_other_tests_start_warm(tmp_path: Path) -> None:
    """Or the tests would be slow in silence: see warm.py."""
    argo = Argo(tmp_path / "home")
    name = argo.run(spec(SAY))
    argo.end(name)
    ((prepared, keeper, _),) = said(argo, name)
    for each in (prepared, keeper):
        command = Path(f"/proc/{each}/cmdline").read_text().split("\0")
        assert [Path(part).name for part in command[1:3]] == ["warm_process.py", "keeper"]
    argo.close()
