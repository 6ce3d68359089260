"""`mfhera backfill` as its user calls it: a month, broken off twice in its middle."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import datetime
from typing import Any

import pytest
from harness import SECONDS, Mfhera, at_once

MONTH = ("--from", "2025-10-01", "--to", "2025-10-31", "--parallel", "3", "--param", "day={{date}}")
"""A month in whose last week the clocks of Berlin change."""
READ = """
import json
from metaflow import Flow, namespace
namespace(None)
names = ("scheduled", "given")
print(json.dumps([
    {"run": run.id, **{name: getattr(run["only"].task.data, name) for name in names}}
    for run in Flow("DailyFlow")
]))
"""


def moment(text: str) -> float:
    """A time in seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def broken_off(mfhera: Mfhera, runs: int, how: signal.Signals) -> tuple[int, str]:
    """Break the command off once there are so many runs; its exit code, and what it said on stderr."""
    command = [sys.executable, "-m", "metaflow_hera.cli.main", "backfill", *MONTH]
    with subprocess.Popen(
        command,
        cwd=mfhera.folder,
        env=mfhera.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        mfhera.wait_until(lambda: len(mfhera.phases("dailyflow")) >= runs)
        process.send_signal(how)
        _, said = process.communicate(timeout=SECONDS)
    return process.returncode, said


@pytest.mark.slow
def test_a_month_of_days_broken_off_and_called_again(mfhera: Mfhera) -> None:
    mfhera.take("daily_flow.py")
    mfhera.ok("create", "daily_flow.py")
    code, said = broken_off(mfhera, 7, signal.SIGINT)
    assert code == 130
    assert "The same command continues from here." in said
    assert broken_off(mfhera, 15, signal.SIGKILL)[0] == -signal.SIGKILL
    times = mfhera.json("backfill", *MONTH, "--json")
    assert [each["scheduled_time"][8:13] for each in times] == [f"{day:02}T06" for day in range(1, 32)]
    assert {each["state"] for each in times} == {"Succeeded"}
    # What Metaflow has is what was run: each day once, by a run that knew it, never more than three at once.
    done = mfhera.python("-c", READ)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = sorted(json.loads(done.stdout), key=lambda each: str(each["scheduled"]))
    assert [each["scheduled"] for each in found] == [each["scheduled_time"] for each in times]
    assert [each["run"] for each in found] == [each["run_id"] for each in times]
    assert [each["given"] for each in found] == [f"2025-10-{day:02}" for day in range(1, 32)]
    runs = mfhera.json("runs", "--json")
    assert {each["run_id"] for each in runs} == {each["run"] for each in found}
    spans = [tuple(moment(each[name]) for name in ("started_at", "finished_at")) for each in runs]
    assert at_once(spans) <= 3


@pytest.mark.embedded_only("can be cleaned")
def test_what_argo_has_deleted_counts_if_it_ended_well(own_mfhera: Mfhera) -> None:
    """Another run of the same name would write over its results. The flow has no schedule."""
    mfhera = own_mfhera
    mfhera.take("daily_flow.py")
    script = mfhera.folder / "daily_flow.py"
    good = script.read_text().replace('@schedule(cron="0 6 * * *", timezone="Europe/Berlin")\n', "")
    script.write_text(good.replace("self.given = self.day", "assert not self.day.endswith('-02')"))
    mfhera.ok("create", "daily_flow.py")
    days = ("--from", "2025-10-01", "--to", "2025-10-02", "--param", "day={{date}}", "--cron", "0 6 * * *")
    done = mfhera("backfill", *days, "--parallel", "2")
    assert done.returncode == 1
    assert "1 of 2 runs have not succeeded: argo-dailyflow-1759384800 " in done.stderr
    mfhera.ok("local", "clean", "--yes")
    first, second = mfhera.json("backfill", *days, "--dry-run", "--json")
    assert (first["run_id"], first["zone"]) == ("argo-dailyflow-1759298400", "UTC")
    assert first["state"] == "Succeeded, no longer in Argo"
    assert second["state"] is None
    script.write_text(good)
    mfhera.ok("create", "daily_flow.py")
    mfhera.ok("backfill", *days)
    again = mfhera.json("backfill", *days, "--json")
    assert [each["run_id"] for each in again] == [first["run_id"], "argo-dailyflow-1759384800-2"]
    tasks = mfhera.read("DailyFlow/argo-dailyflow-1759384800-2")
    assert tasks["only"]["given"] == repr("2025-10-02")
    assert tasks["only"]["scheduled"] == repr("2025-10-02T06:00:00+00:00")


def test_where_metaflow_cannot_be_asked_nothing_is_started(mfhera: Mfhera) -> None:
    mfhera.take("daily_flow.py")
    script = mfhera.folder / "daily_flow.py"
    script.write_text(script.read_text().replace("DailyFlow", "UnaskedDailyFlow"))
    mfhera.ok("create", "daily_flow.py")
    nobody = {
        "METAFLOW_DEFAULT_METADATA": "service",
        "METAFLOW_SERVICE_URL": "http://127.0.0.1:9",
        "METAFLOW_SERVICE_RETRY_COUNT": "1",
    }
    done = mfhera("backfill", "--from", "2025-10-01", "--to", "2025-10-02", env=nobody)
    assert done.returncode == 2
    assert (
        "Metaflow does not tell whether there is a run UnaskedDailyFlow/argo-unaskeddailyflow-" in done.stderr
    )
    assert "Runs that continue: 0, times without a run: 2. The same command continues" in done.stderr
    assert mfhera.phases("unaskeddailyflow") == {}


def test_on_a_flow_and_from_python(mfhera: Mfhera) -> None:
    """`python flow.py hera backfill` and the Python interface do the same."""
    mfhera.take("daily_flow.py")
    (mfhera.folder / "daily_flow.py").write_text(
        (mfhera.folder / "daily_flow.py").read_text().replace("DailyFlow", "OnceDailyFlow")
    )
    mfhera.ok("create", "daily_flow.py")
    done = mfhera.python(
        *("daily_flow.py", "--quiet", "hera", "backfill", "--from", "2025-10-01", "--to", "2025-10-01"),
        *("--param", "day={{date}}", "--json"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (first,) = json.loads(done.stdout)
    assert first["state"] == "Succeeded"
    code = """
from metaflow_hera import Deployment
deployment = Deployment.find("oncedailyflow")
days = deployment.backfill("2025-10-01", "2025-10-02", {"day": "{{date}}"})
print([(each.time.isoformat(), each.run_id, each.state) for each in days])
print([each.is_absent for each in deployment.backfill("2025-10-02", "2025-10-03", dry_run=True)])
"""
    done = mfhera.python("-c", code)
    assert done.returncode == 0, done.stdout + done.stderr
    code = """
from metaflow import Deployer
deployed = Deployer("daily_flow.py", show_output=False).hera().create()
for run in deployed.backfill("2025-10-02", "2025-10-03", {"day": "{{date}}"}, parallel=2):
    print(run.pathspec, run.status, run.run["only"].task.data.given)
try:
    deployed.backfill("2025-10-02", "2025-10-01")
except RuntimeError as error:
    print("--from 2025-10-02 is after --to 2025-10-01" in str(error))
"""
    deployer = mfhera.python("-c", code)
    assert deployer.returncode == 0, deployer.stdout + deployer.stderr
    assert deployer.stdout.splitlines() == [
        "OnceDailyFlow/argo-oncedailyflow-1759377600 Succeeded 2025-10-02",
        "OnceDailyFlow/argo-oncedailyflow-1759464000 Succeeded 2025-10-03",
        "True",
    ]
    assert done.stdout.splitlines() == [
        str(
            [
                (f"2025-10-0{day}T06:00:00+02:00", f"argo-oncedailyflow-{moment}", "Succeeded")
                for day, moment in ((1, 1759291200), (2, 1759377600))
            ]
        ),
        "[False, True]",
    ]
