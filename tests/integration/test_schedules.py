"""@schedule: flows that Argo starts by itself; the embedded one by a clock that the test moves."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from harness import EXAMPLES, SECONDS, TESTS, Mfhera, clean_environment, message, refused

from metaflow_hera.embedded.local import launch

BERLIN = ZoneInfo("Europe/Berlin")


class Moving:
    """`mfhera` with an embedded Argo whose clock is moved."""

    def __init__(self, place: Path) -> None:
        self.mfhera = Mfhera(place, place, clean_environment(place)).at(place / "project")
        self.home = Path(self.mfhera.env["METAFLOW_HERA_HOME"])
        self.ahead = place / "clock"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, TESTS / "moving_server.py", self.home, self.ahead], env=self.mfhera.env
        )
        self.mfhera.wait_until(lambda: launch.status(self.home) is not None)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(SECONDS)

    def to(self, moment: datetime) -> None:
        """Move the clock, if the server runs let it see that."""
        new = self.ahead.with_suffix(".new")
        new.write_text(str(moment.timestamp() - time.time()))
        new.replace(self.ahead)

    def look(self) -> None:
        """Let the server look at its clock: any change makes it."""
        self.mfhera.server.call("PUT", "cron-workflows", "hourlyflow", "resume")

    def runs(self) -> dict[str, str]:
        """The runs and their states."""
        return self.mfhera.phases("hourlyflow")


@pytest.fixture
def moving(tmp_path: Path) -> Iterator[Moving]:
    made = Moving(tmp_path)
    yield made
    made.stop()


@pytest.mark.slow
@pytest.mark.embedded_only("has a clock that tests move")
def test_an_hourly_flow_through_a_day_on_which_the_clocks_change(moving: Moving) -> None:
    """24 hours from the evening before, with a restart in their middle, in a zone that gets an hour more."""
    begin = datetime(2026, 10, 24, 18, 30, tzinfo=timezone.utc)
    moving.to(begin)
    moving.start()
    script = (EXAMPLES / "hourly_flow.py").read_text()
    script = script.replace("hourly=True", "hourly=True, timezone='Europe/Berlin'")
    (moving.mfhera.folder / "hourly_flow.py").write_text(script)
    moving.mfhera.ok("create", "hourly_flow.py")
    for hour in range(1, 25):
        if hour == 12:  # down at the full hour, and for 40 minutes after it
            moving.stop()
        moving.to(begin + timedelta(hours=hour, minutes=10))
        if hour == 12:
            moving.start()
        moving.look()
    moving.mfhera.wait_until(
        lambda: len(moving.runs()) == 24 and set(moving.runs().values()) == {"Succeeded"}
    )
    times = sorted(int(run.rpartition("-")[2]) for run in moving.runs())
    assert times == [int(begin.timestamp()) + 1800 + 3600 * hour for hour in range(24)]


@pytest.mark.embedded_only("has a clock that tests move")
def test_the_flow_can_read_the_time_that_it_was_scheduled_for(moving: Moving) -> None:
    moving.to(datetime(2026, 11, 24, 9, 30, tzinfo=BERLIN))
    moving.start()
    mfhera = moving.mfhera
    mfhera.take("scheduled_flow.py")
    mfhera.ok("create", "scheduled_flow.py", "--name", "hourlyflow")
    by_hand = mfhera.run()
    moving.to(datetime(2026, 11, 24, 10, 0, 5, tzinfo=BERLIN))
    moving.look()
    name = f"argo-hourlyflow-{int(datetime(2026, 11, 24, 10, tzinfo=BERLIN).timestamp())}"
    mfhera.wait_until(lambda: moving.runs().get(name) == "Succeeded")
    tasks = mfhera.read(f"ScheduledFlow/{name}")
    assert tasks["start"]["scheduled"] == repr("2026-11-24T10:00:00+01:00")
    assert tasks["end"]["scheduled"] == tasks["start"]["scheduled"]
    assert mfhera.read(by_hand["pathspec"])["start"]["scheduled"] == "None"


def test_what_is_deployed_and_when_it_fires(mfhera: Mfhera) -> None:
    mfhera.take("schedule_flow.py")
    said = mfhera.ok(
        "create", "schedule_flow.py", "--concurrency-policy", "Forbid", "--failed-history-limit", "7"
    )
    assert "0 10 * * MON-FRI (Europe/Helsinki)" in said
    shown = mfhera.json("schedule", "-n", "3", "--json")
    assert shown["schedules"] == [
        {"expression": "0 10 * * MON-FRI", "zone": "Europe/Helsinki", "suspended": False}
    ]
    times = [
        datetime.fromisoformat(each["time"]).astimezone(ZoneInfo("Europe/Helsinki")) for each in shown["next"]
    ]
    assert len(times) == 3
    assert all((time.hour, time.minute) == (10, 0) and time.weekday() < 5 for time in times)
    text = mfhera.ok("schedule", "schedule_flow.py")
    assert text.count("Europe/Helsinki") == 6
    assert " ".join(text.splitlines()[1].split()) == "NEXT IN ITS ZONE"  # here it is UTC as well
    there = mfhera.ok("schedule", env={"TZ": "Asia/Tokyo"})
    assert " ".join(there.splitlines()[1].split()) == "NEXT HERE IN ITS ZONE"
    cron = mfhera.ask("cron-workflows", "scheduleflow")
    cron["spec"]["suspend"] = True  # by update, which those who deploy may do
    mfhera.server.call("PUT", "cron-workflows", "scheduleflow", json={"cronWorkflow": cron})
    mfhera.ok("create", "schedule_flow.py")
    assert "suspended" in mfhera.ok("schedule")  # by somebody who had a reason
    (mfhera.folder / "plain_flow.py").write_text(
        (mfhera.folder / "schedule_flow.py").read_text().replace("@schedule(", "# @schedule(")
    )
    mfhera.ok("create", "plain_flow.py")
    assert "has no schedule" in mfhera.ok("schedule", "plain_flow.py")
    assert not [each for each in mfhera.stored() if each[:2] == ("cron-workflows", "scheduleflow")]


def test_several_schedules_in_several_zones(mfhera: Mfhera) -> None:
    mfhera.take("schedules_flow.py")
    mfhera.ok("create", "schedules_flow.py")
    shown = mfhera.json("schedule", "--json")
    assert [each["expression"] for each in shown["schedules"]] == ["0 6 * * *", "0 * * * *", "30 9 * * 1-5"]
    listed = next(each for each in mfhera.json("list", "--json") if each["name"] == "schedulesflow")
    assert len(listed["schedules"]) == 3
    said = mfhera.ok("delete", "schedules_flow.py")
    assert "cron workflow schedulesflow" in said
    assert not [
        name for kind, name, _ in mfhera.stored() if kind == "cron-workflows" and name.startswith("schedules")
    ]


def test_a_scheduled_flow_needs_a_value_for_each_parameter(mfhera: Mfhera) -> None:
    mfhera.take("required_flow.py")
    script = mfhera.folder / "required_flow.py"
    script.write_text(
        script.read_text()
        .replace("class ", "@schedule(daily=True)\nclass ", 1)
        .replace("import ", "import schedule, ", 1)
    )
    refused(mfhera("create", "required_flow.py"), "required", "@schedule")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--concurrency-policy", "Never"], "Allow, Forbid, Replace"),
        (["--starting-deadline", "-1"], "--starting-deadline"),
        (["--failed-history-limit", "-3"], "--failed-history-limit"),
    ],
)
def test_options_that_are_not_valid(mfhera: Mfhera, options: list[str], word: str) -> None:
    mfhera.take("schedule_flow.py")
    refused(mfhera("create", "schedule_flow.py", *options), word)


def test_nothing_deployed_has_no_schedule(own_mfhera: Mfhera) -> None:
    own_mfhera.start()
    done = own_mfhera("schedule")
    assert done.returncode == 2
    assert "Nothing has been deployed" in message(done)
    refused(own_mfhera("schedule", "--name", "nope"), "There is no deployment nope")


def test_python_flow_py_hera_deploys_schedules_too(mfhera: Mfhera) -> None:
    mfhera.take("schedule_flow.py")
    done = mfhera.python("schedule_flow.py", "hera", "create", "--only-json", "--starting-deadline", "60")
    assert done.returncode == 0, done.stderr
    cron = json.loads(done.stdout)["items"][1]
    assert cron["spec"]["startingDeadlineSeconds"] == 60
    assert "ScheduleFlow is fine" in mfhera.python("schedule_flow.py", "hera", "lint").stdout
    assert mfhera.python("schedule_flow.py", "hera", "create").returncode == 0
    shown = mfhera.python("schedule_flow.py", "hera", "schedule", "-n", "2", "--json").stdout
    assert len(json.loads(shown)["next"]) == 2
