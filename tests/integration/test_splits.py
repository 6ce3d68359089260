"""Tasks of a foreach that share a pod (--splits-per-pod): each is as it would be in a pod of its own."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import SECONDS, Mfhera, assert_same, refused, step_of
from recorded_flows import Record
from test_kills import killed

from metaflow_hera.embedded.pods.files import is_alive, read_state

WHOLE = ("foreach_flow.py", "mixed_flow.py", "splits_flow.py")


@pytest.mark.parametrize("number", ["1", "3", "1000"])
@pytest.mark.parametrize("flow", WHOLE)
def test_a_flow_makes_the_same_as_by_metaflow_itself(
    mfhera: Mfhera, record: Record, flow: str, number: str
) -> None:
    mfhera.take(flow)
    mfhera.ok("create", flow, "--splits-per-pod", number)
    ours = mfhera.read(mfhera.run()["pathspec"])
    assert_same(record.by_metaflow(flow, mfhera, flow), ours, "by Metaflow", "by mfhera", flow)


def test_status_and_logs_tell_of_tasks(mfhera: Mfhera) -> None:
    mfhera.take("lost_splits_flow.py")
    mfhera.ok("create", "lost_splits_flow.py", "--splits-per-pod", "start=5")
    run = failed(mfhera, failing="36")
    work = step_of(run, "work")
    assert work["phases"] == {"Succeeded": 6, "Failed": 2}
    assert (work["expected"], work["attempts"], work["not_started"]) == (8, 10, 0)
    assert sorted((each["path"], each["attempts"], each["message"]) for each in work["failures"]) == [
        ("-3", 2, "ValueError: bad 3"),
        ("-6", 2, "ValueError: bad 6"),
    ]
    shown = mfhera.ok("status", run["run_id"])
    assert "work Failed 6/8, 2 failed (10 attempts)" in shown
    assert "work-3 failed after 2 attempts: ValueError: bad 3" in shown
    for attempt in ("0", "1"):
        lines = mfhera.ok("logs", run["run_id"], "work/3", "--attempt", attempt)
        assert [line for line in lines.splitlines() if line.startswith("work ")] == [
            f"work 3 attempt {attempt}"
        ]
    assert "work/work-7: work 7 attempt 0" in mfhera.ok("logs", run["run_id"], "work").splitlines()


@pytest.mark.embedded_only("has a page of this package's")
def test_the_page_tells_of_tasks(mfhera: Mfhera) -> None:
    mfhera.take("lost_splits_flow.py")
    mfhera.ok("create", "lost_splits_flow.py", "--splits-per-pod", "start=5")
    run = failed(mfhera, failing="36")
    (group,) = [each for each in page(mfhera, run)["groups"] if each["label"] == "work"]
    assert (group["phases"], group["total"]) == ({"Succeeded": 6, "Failed": 2}, 8)
    assert f"work {group['words']}" in mfhera.ok("status", run["run_id"])
    assert sorted((each["label"], each["message"]) for each in page(mfhera, run)["failures"]) == [
        ("work/3", "ValueError: bad 3"),
        ("work/6", "ValueError: bad 6"),
    ]
    tasks = page(mfhera, run, "/tasks", path=group["path"])
    assert tasks["total"] == 8
    assert [each["label"] for each in tasks["tasks"]] == [f"work/{i}" for i in (3, 6, 0, 1, 2, 4, 5, 7)]
    for task in tasks["tasks"]:
        assert page(mfhera, run, "/tasks", id=task["id"])["tasks"] == [task]


@pytest.mark.same_machine
def test_a_retry_of_the_run_runs_what_has_not_ended_well(mfhera: Mfhera) -> None:
    mfhera.take("lost_splits_flow.py")
    mfhera.ok("create", "lost_splits_flow.py", "--splits-per-pod", "5")
    run = failed(mfhera, failing="3")
    assert mfhera("retry", run["run_id"], "--wait").returncode == 1
    # Both attempts once more, and no task besides.
    once = [f"work-{index} 0" for index in range(8)]
    assert sorted(noted(mfhera)) == sorted([*once, "work-3 1", "work-3 2", "work-3 3"])
    script = mfhera.folder / "lost_splits_flow.py"
    script.write_text(script.read_text().replace("raise ValueError", "self.error = str"))
    said = mfhera.ok("retry", run["run_id"], "lost_splits_flow.py", "--with-new-code", "--wait")
    assert "run again" not in said
    assert sorted(noted(mfhera))[4:8] == ["work-3 1", "work-3 2", "work-3 3", "work-3 4"]
    assert mfhera.read(run["pathspec"])["join"]["indices"] == "[0, 1, 2, 3, 4, 5, 6, 7]"
    resumed = mfhera.python("lost_splits_flow.py", "resume", "join", "--origin-run-id", run["run_id"])
    assert resumed.returncode == 0, resumed.stderr


@pytest.mark.same_machine
def test_a_pod_that_is_killed_again_and_again_loses_nothing(mfhera: Mfhera) -> None:
    """More often than a task may be retried: each task has its own attempts."""
    mfhera.take("lost_splits_flow.py")
    mfhera.ok("create", "lost_splits_flow.py", "--splits-per-pod", "8")
    run = mfhera.run("--param", f"notes={notes(mfhera)}", "--param", "killers=1346")
    expected = [f"work-{index} 0" for index in range(8)] + [f"work-{index} 1" for index in (1, 3, 4, 6)]
    assert sorted(noted(mfhera)) == sorted(expected)
    assert mfhera.read(run["pathspec"])["join"]["indices"] == "[0, 1, 2, 3, 4, 5, 6, 7]"
    # What the killed task had printed is in its pod's log alone.
    lines = mfhera.ok("logs", run["run_id"], "work/4", "--attempt", "0").splitlines()
    assert "work 4 attempt 0" in lines
    assert not [line for line in lines if line.startswith("work 3")]


@pytest.mark.same_machine
def test_a_killed_pod_tells_how_far_it_was(mfhera: Mfhera) -> None:
    mfhera.take("lost_splits_flow.py")
    script = mfhera.folder / "lost_splits_flow.py"
    script.write_text(script.read_text().replace("    @retry(times=1, minutes_between_retries=0)\n", ""))
    mfhera.ok("create", "lost_splits_flow.py", "--splits-per-pod", "8")
    # Without @retry as well the others run: the task that took its pod with it has had its attempt.
    run = failed(mfhera, killers="2", failing="5")
    work = step_of(run, "work")
    assert work["phases"] == {"Succeeded": 6, "Failed": 2}
    assert [(each["path"], each["message"]) for each in work["failures"]] == [
        ("-2", "The pod was lost while the task ran."),
        ("-5", "ValueError: bad 5"),
    ]
    assert sorted(noted(mfhera)) == [f"work-{index} 0" for index in range(8)]


@pytest.mark.same_machine
def test_status_and_logs_tell_the_tasks_of_a_pod_that_runs(mfhera: Mfhera) -> None:
    mfhera.take("lost_splits_flow.py")
    script = mfhera.folder / "lost_splits_flow.py"
    before = "        if str(self.index) in self.failing"
    held = "self.index == 5 and not os.path.exists(self.notes + '.go')"
    wait = f"        while {held}:\n            time.sleep(0.1)"
    script.write_text(script.read_text().replace(before, f"{wait}\n{before}"))
    mfhera.ok("create", "lost_splits_flow.py", "--splits-per-pod", "8")
    run = mfhera.json("trigger", "--json", "--param", f"notes={notes(mfhera)}")
    seen: Any = {}
    end = time.monotonic() + SECONDS
    while seen.get("Succeeded") != 5 and time.monotonic() < end:
        time.sleep(0.5)
        seen = step_of(mfhera.json("status", run["run_id"], "--json"), "work")["phases"]
    assert seen == {"Succeeded": 5, "Running": 1, "Pending": 2}
    lines = mfhera.ok("logs", run["run_id"], "work").splitlines()
    printed = [f"work/work-{index}: work {index} attempt 0" for index in range(6)]
    assert [line for line in lines if line in printed] == printed
    lines = mfhera.ok("logs", run["run_id"], "work/3").splitlines()
    assert [line for line in lines if line.startswith("work ")] == ["work 3 attempt 0"]
    notes(mfhera).with_name("notes.go").touch()
    assert "Succeeded" in mfhera.ok("status", run["run_id"], "--watch")


def test_what_cannot_be_is_refused_by_name(mfhera: Mfhera) -> None:
    mfhera.take("foreach_flow.py", "deep_flow.py", "linear_flow.py", "parallel_flow.py")

    def create(flow: str, value: str) -> Any:
        return mfhera("create", flow, "--only-json", "--splits-per-pod", value)

    refused(create("foreach_flow.py", "collect=3"), "no step collect opens a foreach", "those that do: start")
    refused(create("foreach_flow.py", "0"), "give 1 or more")
    refused(create("foreach_flow.py", "start="), "write N or STEP=N")
    refused(create("linear_flow.py", "5"), "no foreach whose tasks can share a pod")
    refused(
        create("deep_flow.py", "start=5"), "foreach of step start", "more than one step", "Make it one step"
    )
    refused(create("parallel_flow.py", "plan=5"), "is @parallel")


def test_a_foreach_with_a_longer_body_is_told(mfhera: Mfhera) -> None:
    mfhera.take("deep_flow.py")
    said = mfhera.ok("create", "deep_flow.py", "--splits-per-pod", "5")
    assert "The tasks of the foreach of step start have a pod each: its body has more than one step" in said


KILLS = 20


@pytest.mark.slow
@pytest.mark.embedded_only("has a server that a test may kill")
def test_kills_of_pods_and_servers_lose_nothing(
    own_mfhera: Mfhera, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    for name in ("METAFLOW_HERA_MAX_PODS", "METAFLOW_HOME", "METAFLOW_USER", "HOME"):
        monkeypatch.setenv(name, own_mfhera.env[name])
    home = Path(own_mfhera.env["METAFLOW_HERA_HOME"])
    own_mfhera.take("lost_splits_flow.py")
    script = own_mfhera.folder / "lost_splits_flow.py"
    text = script.read_text().replace("times=1", "times=4").replace("range(8)", "range(30)")
    script.write_text(
        text.replace(
            "        if str(self.index) in self.failing", "        time.sleep(0.2)\n        if False"
        )
    )
    own_mfhera.ok("create", "lost_splits_flow.py", "--splits-per-pod", "10", "--max-workers", "2")
    rng = random.Random(0)
    kills, runs, doubled, lost = 0, 0, 0, 0
    while kills < KILLS:
        place = own_mfhera.folder / f"notes-{runs}"
        run = own_mfhera.json("trigger", "--param", f"notes={place}", "--param", "killers=-", "--json")
        runs += 1
        phase = ""
        while phase not in ("Succeeded", "Failed", "Error"):
            time.sleep(rng.uniform(0.2, 1.0))
            if kills < KILLS and place.exists():
                if kills % 4 == 0:
                    killed(home)
                    kills += 1
                elif pods := running(home):
                    with suppress(ProcessLookupError):  # it has just ended
                        os.killpg(rng.choice(pods), signal.SIGKILL)
                        kills += 1
            found = own_mfhera.ask("workflows", run["workflow"], fields="status.phase,status.message")
            phase = found["status"].get("phase", "")
        assert phase == "Succeeded", own_mfhera("status", run["run_id"]).stdout
        tasks = own_mfhera.read(run["pathspec"])
        ran = Counter(place.read_text().splitlines())
        doubled += sum(count - 1 for count in ran.values())
        for index in range(30):
            task = tasks.get(f"work/{index}")
            lost += task is None or not task["successful"]
            last = max(int(each.split()[1]) for each in ran if each.split()[0] == f"work-{index}")
            doubled += task is not None and task["attempt"] != last
    record_property(
        "says", f"kills with --splits-per-pod {kills}, runs {runs}; tasks lost {lost}, doubled {doubled}"
    )
    assert (lost, doubled) == (0, 0)


def running(home: Path) -> list[int]:
    """The pods of several tasks that run, by their processes."""
    states = [read_state(str(path)) for path in home.glob("pods/*/*-shared-*.state")]
    return [state.pid for state in states if state.pid and state.code is None and is_alive(state)]


def notes(mfhera: Mfhera) -> Path:
    return mfhera.folder / "notes"


def noted(mfhera: Mfhera) -> list[str]:
    return notes(mfhera).read_text().splitlines()


def failed(mfhera: Mfhera, **given: str) -> Any:
    """A run that has failed, as JSON."""
    options = [f"--param={name}={value}" for name, value in {"notes": str(notes(mfhera)), **given}.items()]
    done = mfhera("trigger", "--wait", "--json", *options)
    assert done.returncode == 1, done.stderr
    run = json.loads(done.stdout)
    return mfhera.json("status", run["run_id"], "--json")


def page(mfhera: Mfhera, run: Any, more: str = "", **query: str) -> Any:
    """What the page of the embedded Argo gets of a run."""
    server = mfhera.server
    address = server.address("workflows").partition("/api/")[0]
    namespace = server.address("workflows").rpartition("/")[2]
    answer = httpx.get(
        f"{address}/page/runs/{namespace}/{run['workflow']}{more}", params=query, **server.options
    )
    return answer.raise_for_status().json()
