"""What is measured is measured right, whatever somebody sets on the machine's clock."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from twin import Twin

from metaflow_hera.embedded.steady_clock import SteadyClock

POD = {"name": "main", "container": {"image": "x", "command": ["true"]}}
HOUR = 3600


def start(twin: Twin, name: str, **more: int) -> None:
    spec = {"entrypoint": "main", "templates": [POD], **more}
    body = {"workflow": {"metadata": {"name": name}, "spec": spec}}
    assert twin.raw("POST", "workflows/default", body).ok


@pytest.mark.parametrize("jump", [2 * HOUR, -2 * HOUR])
def test_a_jump_of_the_clock_ends_no_run(tmp_path: Path, jump: int) -> None:
    ahead = [0.0]
    twin = Twin(tmp_path / "argo", lambda: time.time() + ahead[0])
    start(twin, "w", activeDeadlineSeconds=HOUR)
    twin.begin("w", "w")
    ahead[0] = jump
    twin.look()
    twin.look()
    assert twin.workflow("w")["status"]["phase"] == "Running"
    twin.finish("w")
    status = twin.workflow("w")["status"]
    assert status["phase"] == "Succeeded"
    assert status["startedAt"] <= status["finishedAt"]
    # With nothing in progress, the clock counts as it is.
    twin.look()
    start(twin, "next")
    later = twin.workflow("next")["metadata"]["creationTimestamp"]
    assert (later > status["finishedAt"]) == (jump > 0)
    twin.close()


def test_a_steady_clock_goes_by_what_has_passed() -> None:
    wall, passed = [1000.0], [5.0]
    clock = SteadyClock(lambda: wall[0], lambda: passed[0])
    wall[0], passed[0] = 99999.0, 7.0
    assert clock() == 1002.0
    clock.set()
    assert clock() == 99999.0
