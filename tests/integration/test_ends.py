"""Tasks that end badly: the run fails, what they printed is there to read, and the reason is named."""

from __future__ import annotations

import json
import sys

import pytest
from harness import Mfhera

READ = """
import json, sys
from metaflow import Task, namespace
namespace(None)
task = Task(sys.argv[1])
found = {name: task.metadata_dict.get(name) for name in ("exit-code", "exit-reason")}
print(json.dumps({**found, "stdout": task.stdout, "stderr": task.stderr}))
"""
WAYS = {
    "error": (1, "ValueError: no such thing"),
    "segfault": (139, "The task was ended by SIGSEGV."),
    "timeout": (1, "TimeoutException: Step start timed out after 0 hours, 0 minutes, 2 seconds"),
    "exit": (7, None),
    "forgets": (1, "Step start ended before it was finished, by sys.exit, os._exit or a return without"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_task_that_ends_badly_fails_the_run_and_says_why(mfhera: Mfhera, way: str) -> None:
    code, reason = WAYS[way]
    mfhera.take("ends_flow.py")
    mfhera.ok("create", "ends_flow.py")
    done = mfhera("trigger", "--wait", "--json", "--param", f"way={way}")
    assert done.returncode == 1
    run = json.loads(done.stdout)
    (failure,) = run["steps"][0]["failures"]
    assert failure["message"].startswith(
        f"main: Error (exit code {code})" + (f": {reason}" if reason else "")
    )
    task = json.loads(mfhera.python("-c", READ, f"{run['pathspec']}/start/start").stdout)
    assert "the last words" in task["stdout"]
    assert task["exit-code"] == str(code)
    assert task["exit-reason"].startswith(reason or f"exit code {code}")
    assert failure["message"] in mfhera.ok("status", run["run_id"])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory a process has")
def test_a_task_above_its_memory_limit(mfhera: Mfhera) -> None:
    mfhera.take("memory_flow.py")
    mfhera.ok("create", "memory_flow.py")
    done = mfhera("trigger", "--wait", "--json")
    run = json.loads(done.stdout)
    assert (done.returncode, run["phase"]) == (1, "Failed")
    (failure,) = run["steps"][0]["failures"]
    assert failure["message"].startswith("main: OOMKilled (exit code 137): The task was ended by SIGKILL")
    task = json.loads(mfhera.python("-c", READ, f"{run['pathspec']}/start/start").stdout)
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
