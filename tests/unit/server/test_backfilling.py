"""`backfill`: a run for each time of a schedule that has none, once, whatever happens in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any

import pytest
import requests
from exports import export
from requests.adapters import BaseAdapter, HTTPAdapter
from twin import TOKEN, Twin
from wrong import Front, lost

from metaflow_hera.argo import deployments, runs
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.cli.main import run_command
from metaflow_hera.errors import ArgoUnreachable, NameTakenError, OptionError, ParameterError, UsageError
from metaflow_hera.operations import control
from metaflow_hera.operations.backfill import Backfill, Choice, ScheduledRun, wanted
from metaflow_hera.operations.exports import create_from
from metaflow_hera.operations.firing_times import Span

NAME = "scheduleflow"
DAILY = {"0 10 * * MON-FRI": "30 2 * * *", "Europe/Helsinki": "Europe/Berlin"}
OCTOBER = Choice(Span("2025-10-01", "2025-10-31"))
"""A month of which one night has a 2:30 twice."""
TWICE = 1761438600, 1761442200
"""The seconds of both."""


def deploy(twin: Twin, flow: str = "schedule", **replaced: str) -> None:
    """Deploy a flow, by default one that starts at 2:30 in Berlin."""
    create_from(export(flow, **(replaced or DAILY)), twin.client, None)


def work(
    twin: Twin, choice: Choice = OCTOBER, name: str = NAME, client: ArgoClient | None = None, **given: Any
) -> Backfill:
    """What is to be done now."""
    client = client or twin.client
    return Backfill(client, wanted(client, deployments.existing(client, name), choice, given))


class World:
    """In place of `sleep`: each time some runs end. Notes how many ran at once, and the order of all."""

    def __init__(self, twin: Twin, failing: tuple[str, ...] = (), stop_after: int = 10**6) -> None:
        self._twin, self._failing, self._stop_after = twin, failing, stop_after
        self.most = 0
        self.slept = 0

    def __call__(self, _: float) -> None:
        """Let one that goes on end."""
        self.slept += 1
        if self.slept > self._stop_after:
            raise KeyboardInterrupt
        going = sorted(run.workflow for run in runs.runs(self._twin.client, None) if not run.ended)
        self.most = max(self.most, len(going))
        for name in going[:1]:
            self._twin.finish(name, exit_code=1 if name in self._failing else 0)


def moments(twin: Twin) -> list[int]:
    """The times for which there are runs, by seconds, in the order in which they were created."""
    found = runs.runs(twin.client, NAME)
    return [int(run.scheduled_time.timestamp()) for run in found if run.scheduled_time][::-1]


def test_each_time_of_a_month_gets_its_run_and_no_more_than_three_run_at_once(twin: Twin) -> None:
    deploy(twin)
    told: list[ScheduledRun] = []
    backfill, world = work(twin), World(twin)
    assert all(each.is_absent for each in backfill.times)
    backfill.carry_out(3, told.append, sleep=world)
    assert world.most == 3
    assert len(backfill.times) == 32
    assert {each.state for each in backfill.times} == {"Succeeded"}
    names = [each.run_id for each in told if each.state == "Pending"]
    assert names == [f"argo-{NAME}-{each.moment}" for each in backfill.times], "the oldest first"
    assert sorted(moments(twin)) == [each.moment for each in backfill.times]
    assert set(TWICE) < set(moments(twin))
    # Once more there is nothing to do.
    twin.sent()
    again = work(twin)
    again.carry_out(3, told.append, sleep=World(twin, stop_after=0))
    assert again.times == backfill.times
    assert not [call for call in twin.sent() if call.startswith("POST")]


def test_a_run_says_its_time_as_one_of_a_cron_workflow_does(twin: Twin) -> None:
    deploy(twin)
    backfill = work(twin, Choice(Span("2025-10-26", "2025-10-26")))
    backfill.carry_out(sleep=World(twin))
    for moment, text in zip(TWICE, ("2025-10-26T02:30:00+02:00", "2025-10-26T02:30:00+01:00"), strict=True):
        workflow = twin.workflow(f"{NAME}-{moment}")
        assert workflow["metadata"]["annotations"]["workflows.argoproj.io/scheduled-time"] == text
        arguments = {each["name"]: each["value"] for each in workflow["spec"]["arguments"]["parameters"]}
        assert arguments["metaflow-scheduled-time"] == text
        run = runs.get(twin.client, workflow["metadata"]["name"])
        assert run.as_json()["scheduled_time"] == datetime.fromtimestamp(moment, timezone.utc)


def test_the_newest_first(twin: Twin) -> None:
    deploy(twin)
    backfill = work(twin, Choice(Span("2025-10-01", "2025-10-04"), newest_first=True))
    backfill.carry_out(sleep=World(twin))
    times = [each.moment for each in backfill.times]
    assert times == sorted(times, reverse=True)


def test_broken_off_and_called_again_it_goes_on_beside_what_runs(twin: Twin) -> None:
    deploy(twin)
    first = work(twin)
    with pytest.raises(KeyboardInterrupt):
        first.carry_out(3, sleep=World(twin, stop_after=10))
    going = {each.run_id for each in first.times if not each.is_absent and not each.ended}
    assert len(going) == 3
    second, world = work(twin), World(twin)
    assert {each.run_id for each in second.times if not each.is_absent and not each.ended} == going
    second.carry_out(3, sleep=world)
    assert world.most == 3
    assert len(set(moments(twin))) == len(moments(twin)) == 32
    assert {each.state for each in second.times} == {"Succeeded"}


def test_two_at_once_start_each_run_once(twin: Twin) -> None:
    """Both have looked before either began; so does a server whose list is behind."""
    deploy(twin)
    choice = Choice(Span("2025-10-01", "2025-10-05"))
    one, other = work(twin, choice), work(twin, choice)
    with pytest.raises(KeyboardInterrupt):
        one.carry_out(2, sleep=World(twin, stop_after=1))
    world = World(twin)
    other.carry_out(2, sleep=world)
    assert world.most == 2
    assert len(moments(twin)) == len(set(moments(twin))) == 5
    one.carry_out(2, sleep=World(twin))
    assert one.times == other.times


def test_an_answer_that_does_not_come_starts_no_second_run(twin: Twin) -> None:
    deploy(twin)
    choice = Choice(Span("2025-10-01", "2025-10-01"))
    front = Front(twin.transport)
    client = ArgoClient(twin.client.target, front)
    client.version()
    backfill = work(twin, choice, client=client)
    front.reset(lost_answer, at=0, once=True, after=True)
    backfill.carry_out(sleep=World(twin))
    assert len(moments(twin)) == 1
    # Nor does one whose command has ended before it could know.
    deploy(twin, **{**DAILY, "30 2 * * *": "0 10 * * MON-FRI"})
    later = work(twin, Choice(Span("2025-10-02", "2025-10-02")), client=client)
    front.reset(lost_answer, at=0, after=True)
    with pytest.raises(ArgoUnreachable):
        later.carry_out(sleep=World(twin))
    front.reset()
    again = work(twin, Choice(Span("2025-10-02", "2025-10-02")))
    assert [each.is_absent for each in again.times] == [False]


def lost_answer() -> requests.Response:
    """A connection that ends before the answer."""
    raise lost(RemoteDisconnected("Remote end closed connection without response"))


def test_a_server_that_is_away_is_waited_for(twin: Twin) -> None:
    deploy(twin)
    front = Front(twin.transport)
    client = ArgoClient(twin.client.target, front)
    backfill = work(twin, Choice(Span("2025-10-01", "2025-10-01")), client=client)
    world, notes = World(twin), list[str]()

    def sleep(seconds: float) -> None:
        if world.slept == 0:
            front.reset(away)
        world(seconds)

    def note(text: str) -> None:
        notes.append(text)
        front.reset()

    backfill.carry_out(note=note, sleep=sleep)
    assert [each.state for each in backfill.times] == ["Succeeded"]
    (said,) = notes
    assert "cannot be reached at the moment: waiting for it" in said


def away() -> requests.Response:
    """Nobody who listens."""
    raise requests.ConnectTimeout


def test_what_the_cron_workflow_has_started_is_passed_over(tmp_path: Path) -> None:
    now = [1761438600.0 - 3600 * 30]
    twin = Twin(tmp_path / "moved", clock=lambda: now[0])
    try:
        deploy(twin)
        for moment in TWICE:
            now[0] = moment + 5.0
            twin.look()
        started = {run.run_id for run in runs.runs(twin.client, NAME)}
        assert started == {f"argo-{NAME}-{moment}" for moment in TWICE}
        backfill = work(twin, Choice(Span("2025-10-25", "2025-10-27")))
        assert {each.run_id for each in backfill.times if not each.is_absent} == started
        backfill.carry_out(2, sleep=World(twin))
        assert {each.state for each in backfill.times} == {"Succeeded"}
        assert len(moments(twin)) == 4
    finally:
        twin.close()


def test_a_run_that_failed_counts_and_so_does_the_one_that_repeats_it(twin: Twin) -> None:
    deploy(twin)
    choice = Choice(Span("2025-10-01", "2025-10-03"))
    bad = f"{NAME}-1759365000"  # the second of October
    backfill = work(twin, choice)
    backfill.carry_out(sleep=World(twin, failing=(bad,)))
    assert [each.state for each in backfill.times] == ["Succeeded", "Failed", "Succeeded"]
    assert [each.failed for each in backfill.times] == [False, True, False]
    assert [each.run_id for each in work(twin, choice).times if each.failed] == [f"argo-{bad}"]
    repeated = control.resubmit(twin.client, bad, None)
    assert [each.run_id for each in work(twin, choice).times if not each.ended] == [repeated.run_id]
    twin.finish(repeated.workflow)
    again = work(twin, choice)
    assert again.times[1].run_id == repeated.run_id
    assert not any(each.failed for each in again.times)


def test_a_run_that_somebody_deletes_meanwhile_is_told_of(twin: Twin) -> None:
    deploy(twin)
    choice = Choice(Span("2025-10-01", "2025-10-02"))
    backfill = work(twin, choice)

    def delete(_: float) -> None:
        for run in runs.runs(twin.client, NAME):
            twin.client.delete_workflow(run.workflow)

    backfill.carry_out(2, sleep=delete)
    assert [(each.state, each.failed) for each in backfill.times] == [("no longer in Argo", True)] * 2
    assert all(each.is_absent for each in work(twin, choice).times)


def test_values_are_those_of_each_time(twin: Twin) -> None:
    deploy(twin, "types", x="x")
    choice = Choice(Span("2026-03-28", "2026-03-30"), cron="0 6 * * *")
    backfill = work(twin, choice, "typesflow", text="of {{date}}", number="7")
    backfill.carry_out(sleep=World(twin))
    values = [
        {each["name"]: each["value"] for each in twin.workflow(name)["spec"]["arguments"]["parameters"]}
        for name in (str(each.run_id).removeprefix("argo-") for each in backfill.times)
    ]
    assert [each["text"] for each in values] == [f"of 2026-03-{day}" for day in (28, 29, 30)]
    assert {each["number"] for each in values} == {"7"}
    with pytest.raises(ParameterError, match="'number' must be an int, not '2026-03-28'"):
        work(twin, choice, "typesflow", number="{{date}}")


def test_a_flow_without_a_schedule_needs_an_expression(twin: Twin) -> None:
    deploy(twin, "linear", x="x")
    span = Span("2026-11-01", "2026-11-02")
    with pytest.raises(UsageError, match="linearflow has no schedule: give the times with --cron"):
        work(twin, Choice(span), "linearflow")
    assert len(work(twin, Choice(span, "0 */12 * * *"), "linearflow").times) == 4
    with pytest.raises(UsageError, match="--cron '0 6': a cron expression has five fields"):
        work(twin, Choice(span, "0 6"), "linearflow")
    # It is in the zone of the schedules, if they have one.
    deploy(twin)
    assert {each.zone for each in work(twin, Choice(span, "@daily")).times} == {"Europe/Berlin"}
    deploy(twin, "schedules", x="x")
    with pytest.raises(OptionError, match=r"several zones \(Asia/Tokyo, UTC\): leave it out"):
        work(twin, Choice(span, "@daily"), "schedulesflow")


def test_a_suspended_schedule_has_times_too(twin: Twin) -> None:
    deploy(twin)
    twin.call("PUT", f"cron-workflows/default/{NAME}/suspend")
    assert len(work(twin).times) == 32


def test_an_older_deployment_is_refused(twin: Twin) -> None:
    objects = json.loads(json.dumps(export("linear")).replace("metaflow-scheduled-time", "metaflow-other"))
    create_from(objects, twin.client, None)
    with pytest.raises(UsageError, match="so its runs cannot have a scheduled time: deploy it again"):
        work(twin, Choice(Span("2026-11-01"), "@daily"), "linearflow")


def test_the_run_of_another_flow_is_not_taken_for_one(twin: Twin) -> None:
    deploy(twin)
    choice = Choice(Span("2025-10-01", "2025-10-01"))
    work(twin, choice).carry_out(sleep=World(twin))
    twin.call("DELETE", f"cron-workflows/default/{NAME}")
    twin.call("DELETE", f"workflow-templates/default/{NAME}")
    deploy(twin, **DAILY, ScheduleFlow="OtherFlow")
    backfill = work(twin, choice)
    assert [each.is_absent for each in backfill.times] == [True]
    with pytest.raises(
        NameTakenError, match="is a run of ScheduleFlow, which had the name scheduleflow before"
    ):
        backfill.carry_out(sleep=World(twin))


@pytest.fixture
def command(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """`mfhera` with the twin as Argo's server."""
    choose = requests.Session.get_adapter

    def adapter(session: requests.Session, url: str) -> BaseAdapter:
        found = choose(session, url)
        return twin.transport if type(found) is HTTPAdapter else found

    monkeypatch.setattr(requests.Session, "get_adapter", adapter)
    for name, value in {"SERVER": "127.0.0.1:2746", "SECURE": "false", "TOKEN": TOKEN}.items():
        monkeypatch.setenv(f"ARGO_{name}", value)
    return lambda words: run_command(words.split())


class TestCommand:
    """What its user reads, and how it exits."""

    def test_dry(self, twin: Twin, command: Callable[[str], int], capsys: pytest.CaptureFixture[str]) -> None:
        deploy(twin)
        work(twin, Choice(Span("2025-10-25", "2025-10-25"))).carry_out(sleep=World(twin))
        before = twin.version
        assert command(f"backfill --name {NAME} --from 2025-10-25 --to 2025-10-26 --dry-run") == 0
        assert capsys.readouterr().out.splitlines() == [
            "TIME                                  RUN                           STATE",
            "2025-10-25 02:30+02:00 Europe/Berlin  argo-scheduleflow-1761352200  Succeeded",
            "2025-10-26 02:30+02:00 Europe/Berlin  -                             not started",
            "2025-10-26 02:30+01:00 Europe/Berlin  -                             not started",
        ]
        assert command(f"backfill --name {NAME} --from 2025-10-26 --to 2025-10-26 --dry-run --json") == 0
        assert json.loads(capsys.readouterr().out)[1] == {
            "scheduled_time": "2025-10-26T02:30:00+01:00",
            "zone": "Europe/Berlin",
            "run_id": None,
            "state": None,
        }
        assert twin.version == before
        for dry in ("", " --dry-run"):
            assert command(f"backfill --name {NAME} --from 2026-03-29 --to 2026-03-29{dry}") == 0
            assert capsys.readouterr().out == "The schedule has no such time.\n"

    def test_runs_that_failed_are_named_and_the_exit_code_is_1(
        self, twin: Twin, command: Callable[[str], int], capsys: pytest.CaptureFixture[str]
    ) -> None:
        deploy(twin)
        bad = f"{NAME}-1761352200"
        choice = Choice(Span("2025-10-24", "2025-10-25"))
        work(twin, choice).carry_out(sleep=World(twin, failing=(bad,)))
        assert command(f"backfill --name {NAME} --from 2025-10-24 --to 2025-10-25") == 1
        said = capsys.readouterr()
        assert said.out.splitlines() == [*("Times with a run: 2, without: 0.", "1 of 2 runs have succeeded.")]
        assert (
            f"1 of 2 runs have not succeeded: argo-{bad} (2025-10-25 02:30+02:00 Europe/Berlin, Failed)"
            in (said.err)
        )
        assert "mfhera retry RUN" in said.err

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ("--from 2025-10-02 --to 2025-10-01", "--from 2025-10-02 is after --to 2025-10-01"),
            ("--from 2025-10-02 --parallel 0", "--parallel 0 is not valid: give 1 or more."),
            ("--from 2020-01-01", "runs: add --yes to start them."),
            ("--from 2025-10-02 --param x", "--param 'x' must be NAME=VALUE: write --param x=VALUE."),
            ("--from 2025-10-02 --param x=1", "There is no Parameter 'x'; the flow has alpha."),
            ("--name nosuch --from 2025-10-02", "There is no deployment nosuch: mfhera list shows all"),
            ("--to 2025-10-02", "Missing option '--from'"),
        ],
    )
    def test_what_is_refused(
        self,
        twin: Twin,
        command: Callable[[str], int],
        capsys: pytest.CaptureFixture[str],
        options: str,
        words: str,
    ) -> None:
        deploy(twin)
        before = twin.version
        assert command(f"backfill --name {NAME} {options}") == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert words in said.err
        assert twin.version == before
