"""Tasks that end badly: the run fails, what they printed is there to read, and the reason is named."""

from __future__ import annotations

import json
import sys

import pytest
from harness import Mfhera, step_of

READ = """
import json, sys
from metaflow import Task, namespace
namespace(None)
tasks = [Task(each) for each in sys.argv[1:]]
names = ("exit-code", "exit-reason")
print(json.dumps([
    {**{name: task.metadata_dict.get(name) for name in names}, "stdout": task.stdout, "stderr": task.stderr}
    for task in tasks
]))
"""
WAYS = [
    ("generator", 1, 'UnpicklableArtifactException: Cannot pickle dump artifact named "made"'),
    ("exit code", 3, "SystemExit: 3"),
    ("exit text", 1, "SystemExit: the table is empty"),
    ("exit while handling", 4, "SystemExit: 4"),
    ("forgets", 1, "Step fail ended before it was finished, by sys.exit, os._exit or a return without"),
    ("os exit", 7, "The task's process ended by itself with exit code 7 and without an exception"),
    ("environment", 1, "ValueError: with no environment"),
    ("folder", 1, "ValueError: with no folder"),
    ("pickle", 1, 'UnpicklableArtifactException: Cannot pickle dump artifact named "made"'),
    ("segfault", 139, "The task was ended by SIGSEGV (a segmentation fault)."),
    ("abort", 134, "The task was ended by SIGABRT (aborted, by a library's own check perhaps)."),
    ("killed", 137, "The task was ended by SIGKILL (out of memory, perhaps: little else kills"),
    ("timeout", 1, "TimeoutException: Step fail timed out after 0 hours, 0 minutes, 20 seconds"),
    ("memory", 1, "MemoryError: Unable to allocate 200 GiB"),
    ("odd text", 1, "RuntimeError: not even this works"),
    ("nothing said", 1, "AssertionError"),
    ("base exception", 1, "KeyboardInterrupt: by the user's own code"),
    ("module", 1, "ModuleNotFoundError: No module named 'a_module_that_was_not_packed'"),
    ("variable", 1, "KeyError: 'A_VARIABLE_THAT_IS_NOT_SET'"),
    ("file", 1, "FileNotFoundError: [Errno 2] No such file or directory: 'a_file_that_is_not_there.csv'"),
]


@pytest.mark.parametrize("cold", [False, True], ids=["forked", "started"])
def test_whatever_fails_the_reason_is_told_everywhere(mfhera: Mfhera, own_mfhera: Mfhera, cold: bool) -> None:
    """By Argo's node, by `status`, in Metaflow's metadata, and in the log."""
    if cold:
        mfhera = own_mfhera
        mfhera.env["METAFLOW_HERA_COLD_PODS"] = "1"
    mfhera.take("ways_flow.py")
    mfhera.ok("create", "ways_flow.py")
    done = mfhera("trigger", "--wait", "--json")
    run = json.loads(done.stdout)
    assert (done.returncode, run["state"]) == (1, "Failed")
    failures = {each["path"]: each["message"] for each in step_of(run, "fail")["failures"]}
    told = mfhera.ok("status", run["run_id"])
    read = mfhera.python("-c", READ, *(f"{run['pathspec']}/fail/fail-{at}" for at in range(len(WAYS))))
    tasks = json.loads(read.stdout)
    wrong = {}
    for at, (way, code, reason) in enumerate(WAYS):
        message, task = failures[f"-{at}"], tasks[at]
        holds = [
            message.startswith(f"main: Error (exit code {code}): {reason}"),
            task["exit-code"] == str(code),
            (task["exit-reason"] or "").startswith(reason),
            reason.partition(": ")[2][:40] in (task["stderr"] or ""),
            ("the last words" in (task["stdout"] or "")) == (way not in ("module", "variable", "file")),
        ]
        if not all(holds):
            wrong[way] = (holds, message, task)
    assert not wrong
    assert sum(message in told for message in failures.values()) >= 5  # of the ten that it shows


def test_a_step_may_clear_its_environment_and_remove_its_folder(mfhera: Mfhera) -> None:
    mfhera.take("ways_flow.py")
    mfhera.ok("create", "ways_flow.py")
    run = json.loads(mfhera("trigger", "--wait", "--json", "--param", "good=true").stdout)
    assert step_of(run, "fail")["state"] == "Succeeded"
    (failure,) = step_of(run, "join")["failures"]
    assert failure["message"] == "main: Error (exit code 1): LookupError: nothing to join"


def test_a_flow_whose_script_fails_in_a_pod_says_so_before_there_is_a_run(mfhera: Mfhera) -> None:
    mfhera.take("ways_flow.py")
    mfhera.ok("create", "ways_flow.py")
    run = json.loads(mfhera("trigger", "--wait", "--json", "--param", "broken=true").stdout)
    (failure,) = step_of(run, "start")["failures"]
    assert failure["message"].startswith(
        "main: Error (exit code 1): The run and its parameters could not be registered: "
        "ModuleNotFoundError: No module named 'a_module_that_was_not_packed' (a pod has the code below"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory a process has")
def test_a_task_above_its_memory_limit(mfhera: Mfhera) -> None:
    mfhera.take("memory_flow.py")
    mfhera.ok("create", "memory_flow.py")
    done = mfhera("trigger", "--wait", "--json")
    run = json.loads(done.stdout)
    assert (done.returncode, run["state"]) == (1, "Failed")
    (failure,) = run["steps"][0]["failures"]
    assert failure["message"].startswith("main: OOMKilled (exit code 137): The task was ended by SIGKILL")
    (task,) = json.loads(mfhera.python("-c", READ, f"{run['pathspec']}/start/start").stdout)
    assert "the last words" in task["stdout"]
    assert "out of memory" in task["exit-reason"]


def test_the_end_of_a_task_that_goes_on_after_its_timeout(mfhera: Mfhera) -> None:
    """It blocks the alarm of @timeout; the pod ends it all the same."""
    mfhera.take("deaf_flow.py")
    mfhera.ok("create", "deaf_flow.py")
    done = mfhera("trigger", "--wait", "--json")
    (failure,) = json.loads(done.stdout)["steps"][0]["failures"]
    assert failure["message"].endswith(
        "Step start was ended: it went on running after its @timeout of 1 seconds."
    )
