"""A fork while other threads are at work: each test has a real process that forks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from harness import SECONDS

FORKS = """
import os, threading, time
from metaflow_hera.runtime.forking import fork_alone
from metaflow_hera.metaflow_api.pod.run_store import RunStore

lock, holds = threading.Lock(), threading.Event()

def work():
    with lock:
        holds.set()
        time.sleep(0.5)

def wait():
    threading.Event().wait()

{before}
pid = fork_alone()
if pid == 0:
    {child}
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def forked(folder: Path, before: str, child: str) -> str:
    """What a process prints that runs `before`, forks, and runs `child` in the fork."""
    script = folder / "forks.py"
    script.write_text(FORKS.format(before=before, child=child))
    command = [sys.executable, script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_thread_leaves_a_lock_to_the_child(tmp_path: Path) -> None:
    before = "threading.Thread(target=work).start(); holds.wait()"
    assert forked(tmp_path, before, "os._exit(0 if lock.acquire(timeout=0) else 1)") == "0\n"


@pytest.mark.parametrize("datastore", ["local", "gs", "azure"])
def test_a_store_that_rests_has_no_threads(tmp_path: Path, datastore: str) -> None:
    before = f"""
store = RunStore("AFlow", {datastore!r}, {str(tmp_path)!r}, "1")
print(threading.active_count())
store.rest()
store.rest()
print(threading.active_count())
"""
    opened, rested, code = map(int, forked(tmp_path, before, "os._exit(0)").split())
    assert (opened > 1) == (datastore != "local")
    assert (rested, code) == (1, 0)


def test_a_thread_that_stays_holds_up_the_first_fork_only(tmp_path: Path) -> None:
    before = """
threading.Thread(target=wait, daemon=True).start()
begin = time.monotonic()
if fork_alone() == 0:
    os._exit(0)
first, begin = time.monotonic() - begin, time.monotonic()
if fork_alone() == 0:
    os._exit(0)
print(int(time.monotonic() - begin < first / 2))
"""
    assert forked(tmp_path, before, "os._exit(7)") == "1\n7\n"
