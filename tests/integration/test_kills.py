"""The server is killed again and again while flows run: every task runs as often as its attempts say."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import warm
from harness import Mfhera

from metaflow_hera import __version__
from metaflow_hera.embedded.local import launch

KILLS = 50
LONGEST = 1.5
"""Seconds at most from one kill to the next."""

LOGS = """
import json, sys
from metaflow import Run, Task, namespace
namespace(None)
found = {}
for step in Run(sys.argv[1]):
    for task in step:
        name = f"{step.id}/{task.id}"
        last = max(int(each.value) for each in task.metadata if each.name == "attempt")
        for attempt in range(last + 1):
            found[f"{name} {attempt}"] = Task(f"{sys.argv[1]}/{name}", attempt=attempt).stdout
print(json.dumps(found))
"""


def killed(home: Path) -> None:
    """End the server without a word to it, and start it again."""
    server = launch.status(home)
    assert server is not None
    os.kill(server.pid, signal.SIGKILL)
    while launch.status(home) is not None:
        time.sleep(0.01)
    with warm.servers():
        launch.start(home, __version__)


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_done_twice(
    own_mfhera: Mfhera, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    for name in ("METAFLOW_HERA_MAX_PODS", "METAFLOW_HOME", "METAFLOW_USER", "HOME"):
        monkeypatch.setenv(name, own_mfhera.env[name])
    home = Path(own_mfhera.env["METAFLOW_HERA_HOME"])
    own_mfhera.take("killed_server_flow.py")
    own_mfhera.ok("create", "killed_server_flow.py")
    rng = random.Random(0)
    kills, runs, attempts, doubled, lost, lines = 0, 0, 0, 0, 0, 0
    while kills < KILLS:
        notes = own_mfhera.folder / f"notes-{runs}"
        run = own_mfhera.json("trigger", "--param", f"notes={notes}", "--json")
        runs += 1
        phase = ""
        while phase not in ("Succeeded", "Failed", "Error"):
            time.sleep(rng.uniform(0, LONGEST))
            if kills < KILLS:
                killed(home)
                kills += 1
            found = own_mfhera.ask("workflows", run["workflow"], fields="status.phase,status.message")
            phase = found["status"].get("phase", "")
        assert phase == "Succeeded", own_mfhera("status", run["run_id"]).stdout
        done = own_mfhera.python("-c", LOGS, run["pathspec"])
        assert done.returncode == 0, done.stderr
        logs = json.loads(done.stdout)
        ran = Counter(notes.read_text().splitlines())
        attempts += len(logs)
        doubled += sum(count - 1 for count in ran.values()) + len(ran.keys() - logs.keys())
        lost += len(logs.keys() - ran.keys())
        for attempt, text in logs.items():
            told = [line for line in text.splitlines() if line.startswith("line ")]
            step, task, number = attempt.replace("/", " ").split()
            lines += 20 - len({f"line {step} {task} {number} {i}" for i in range(20)} & set(told))
        cells = [attempt for attempt in logs if attempt.startswith("cell/")]
        assert len(cells) == 3 * (1 + 2 + 3)
    record_property(
        "says",
        f"kills {kills}, runs {runs}, attempts {attempts}; tasks lost {lost}, doubled {doubled}, "
        f"log lines lost {lines}",
    )
    assert (lost, doubled, lines) == (0, 0, 0)
