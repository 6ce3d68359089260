"""Runs for times of a schedule that have passed: which of them have one, and starting the others.

What has been done is looked up, and noted nowhere: a run says in an annotation which time it is for, as one
that a CronWorkflow starts. Its name follows from that time, so that the server refuses a second one, whoever
submits it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import count
from typing import Any

from metaflow_hera.argo import following, runs
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.deployments import Deployed
from metaflow_hera.argo.run import ENDED, UNKNOWN_FLOW, Run, as_run
from metaflow_hera.argo.schedules import Firing, Schedule, schedules_of
from metaflow_hera.argo.starting import Start, submitted_as
from metaflow_hera.choices.checks import of_kind
from metaflow_hera.contract import manifest
from metaflow_hera.contract.objects import JSON
from metaflow_hera.errors import (
    ArgoConflict,
    ArgoNotFound,
    NameTakenError,
    OptionError,
    RunFailed,
    UsageError,
)
from metaflow_hera.operations.firing_times import Span, rfc3339, with_times
from metaflow_hera.translation.cron import argo_schedule

ABSENT, GONE, LOST = "not started", "Succeeded, no longer in Argo", "no longer in Argo"
"""The states of a time without a run, and with one that Argo has deleted: after it ended well, or before."""
NAMED = 10
"""How many runs that have failed a message names."""
DEFAULT_ZONE = "UTC"
"""The zone of `--cron` where a deployment has no schedule, as Metaflow's schedules have it."""


@dataclass(frozen=True)
class ScheduledRun:
    """A time of a schedule, in its zone, and the run for it.

    `run_id` is its id in Metaflow, None as long as there is none. `state` is that of Argo (Pending, Running,
    Succeeded, Failed, Error), perhaps with a remark, or "not started".
    """

    time: datetime
    zone: str
    run_id: str | None = None
    state: str = ABSENT

    @property
    def moment(self) -> int:
        """The time in seconds since the epoch: two times of an hour that a clock shows twice are equal."""
        return int(self.time.timestamp())

    @property
    def is_absent(self) -> bool:
        """Whether there is no run for this time yet."""
        return self.run_id is None

    @property
    def ended(self) -> bool:
        """Whether there is a run that has ended."""
        return self.state in (GONE, LOST) or self.state in ENDED

    @property
    def failed(self) -> bool:
        """Whether there is a run that has ended, and not well."""
        return self.ended and self.state not in (GONE, "Succeeded")

    @property
    def in_zone(self) -> str:
        """The time as the clocks of its zone show it, with what tells one shown twice apart."""
        return f"{self.time.isoformat(' ', 'minutes')} {self.zone}"

    def as_json(self) -> JSON:
        """All that is known about it, for programs."""
        return {
            "scheduled_time": self.time,
            "zone": self.zone,
            "run_id": self.run_id,
            "state": None if self.is_absent else self.state,
        }

    def with_run(self, run: Run) -> ScheduledRun:
        """The same with what is known about its run now."""
        suspended = ", suspended" if run.suspended and not run.ended else ""
        return replace(self, run_id=run.run_id, state=run.phase + suspended)


@dataclass(frozen=True)
class Wanted:
    """What should run: each time with what to start for it, in the order in which they are started."""

    deployed: Deployed
    times: Sequence[tuple[ScheduledRun, Start]]


@dataclass(frozen=True)
class Choice:
    """Which times: those of a span, of the deployment's schedules or of a cron expression."""

    span: Span
    cron: str | None = None
    newest_first: bool = False


def wanted(
    client: ArgoClient,
    deployed: Deployed,
    choice: Choice,
    given: Mapping[str, Any],
    now: datetime | None = None,
) -> Wanted:
    """The chosen times with the values that Parameters have at each.

    Raises OptionError for times or an expression that are not valid, ParameterError for values that do not
    fit, UsageError if there is no schedule, or an older version made the deployment.
    """
    if not deployed.takes_scheduled_time:
        raise UsageError(
            f"An older mfhera deployed {deployed.name}, so its runs cannot have a scheduled time: "
            "deploy it again with mfhera create first."
        )
    schedules = _schedules(client, deployed, choice.cron)
    found = choice.span.firings(schedules, now or datetime.now(timezone.utc))
    times = [
        (
            ScheduledRun(firing.local, firing.schedule.zone),
            _start(runs.wanted(deployed, with_times(given, firing, schedules)), firing),
        )
        for firing in found
    ]
    return Wanted(deployed, times[::-1] if choice.newest_first else times)


def _schedules(client: ArgoClient, deployed: Deployed, cron: str | None) -> list[Schedule]:
    """The schedules of a deployment, or a cron expression in their zone."""
    found = schedules_of(client, deployed.name)
    if cron is None:
        if not found:
            raise UsageError(
                f"{deployed.name} has no schedule: give the times with --cron, such as --cron '0 6 * * *'."
            )
        return found
    of_kind("--cron", cron, str)
    zones = sorted({schedule.zone for schedule in found}) or [DEFAULT_ZONE]
    if len(zones) > 1:
        raise OptionError(
            f"--cron does not go with {deployed.name}, which has schedules in several zones "
            f"({', '.join(zones)}): leave it out."
        )
    return [Schedule(argo_schedule(cron, f"--cron {cron!r}"), zones[0])]


def _start(start: Start, firing: Firing) -> Start:
    moment = rfc3339(firing.local)
    return Start(
        start.template,
        [*start.parameters, f"{manifest.SCHEDULED_TIME_PARAMETER}={moment}"],
        f"{start.annotations},{manifest.SCHEDULED_FOR}={moment}",
    )


class Backfill:
    """The wanted times, each with its run as far as there is one."""

    def __init__(self, client: ArgoClient, wanted: Wanted) -> None:
        self._client = client
        self._deployed = wanted.deployed
        self._starts = {each.moment: start for each, start in wanted.times}
        known = _known(runs.runs(client, wanted.deployed.name), wanted.deployed.flow)
        self._times = {
            each.moment: each.with_run(known[each.moment]) if each.moment in known else each
            for each, _ in wanted.times
        }

    @property
    def times(self) -> list[ScheduledRun]:
        """All of them, in the order in which they are started."""
        return list(self._times.values())

    def look_up(self) -> None:
        """Ask Metaflow, too, whether there are runs for the times for which Argo has none."""
        for each in self.times:
            if each.is_absent:
                self._name_for(each)

    def carry_out(
        self,
        parallel: int = 1,
        on_change: Callable[[ScheduledRun], None] = lambda _: None,
        note: Callable[[str], None] = lambda _: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Start a run for each time that has none, and wait until all have ended.

        At most `parallel` run at once, with those that were started before. `on_change` gets each time
        whose state changes, `note` a remark if the server is away for a while. Raises ArgoError if a run
        cannot be started: what runs goes on, and calling it again starts those that are left.
        """
        self._client.check_version()
        going = deque(each for each in self.times if not each.is_absent and not each.ended)
        left = deque(each for each in self.times if each.is_absent)
        cost = 0.0
        while left or going:
            while left and len(going) < parallel:
                begun = self._begun(left.popleft())
                on_change(begun)
                if not begun.ended:
                    going.append(begun)
            if not going:
                continue
            sleep(following.pause_after(cost))
            before = time.monotonic()
            for each in [going.popleft() for _ in range(len(going))]:
                now = self._look(each, sleep, note)
                if now != each:
                    on_change(now)
                if not now.ended:
                    going.append(now)
            cost = time.monotonic() - before

    def _begun(self, each: ScheduledRun) -> ScheduledRun:
        """A time for which there was no run, with its new one, or that of somebody who was faster."""
        name = self._name_for(each)
        if name is None:
            return self._times[each.moment]
        try:
            run = as_run(submitted_as(self._client, self._starts[each.moment], name))
        except ArgoConflict:
            run = runs.get(self._client, name, steps=False)
        return self._keep(each, run)

    def _name_for(self, each: ScheduledRun) -> str | None:
        """The name of a new run; None if there is one, which is noted.

        Metaflow must not know a run of that name: one that Argo has deleted counts if it has ended well, and
        otherwise the new one has another name, since the two would write over each other's results.
        """
        base = f"{self._deployed.name}-{each.moment}"
        for number in count(1):
            name = base if number == 1 else f"{base}-{number}"
            run_id = manifest.run_id(name)
            well = self._ended_well(run_id)
            if well is None:
                return name
            if well:
                self._times[each.moment] = replace(each, run_id=run_id, state=GONE)
                return None
            try:
                self._keep(each, runs.get(self._client, name, steps=False))
                return None
            except ArgoNotFound:
                continue
        raise AssertionError("unreachable")

    def _look(
        self, each: ScheduledRun, sleep: Callable[[float], None], note: Callable[[str], None]
    ) -> ScheduledRun:
        run_id = str(each.run_id)

        def look() -> Run:
            return runs.get(self._client, run_id, steps=False)

        try:
            return self._keep(each, following.patiently(self._client, look, sleep, note))
        except ArgoNotFound:  # somebody has deleted it, or Argo has, as its end was long enough ago
            found = replace(each, state=GONE if self._ended_well(run_id) else LOST)
            self._times[each.moment] = found
            return found

    def _ended_well(self, run_id: str) -> bool | None:
        # Not before: it imports Metaflow.
        from metaflow_hera.metaflow_api.read.client import ended_well

        return ended_well(f"{self._deployed.flow}/{run_id}")

    def _keep(self, each: ScheduledRun, run: Run) -> ScheduledRun:
        """Note what is known about the run for a time. Raises NameTakenError if it is another flow's."""
        if run.flow not in (self._deployed.flow, UNKNOWN_FLOW):
            raise NameTakenError(
                f"{run.run_id} is a run of {run.flow}, which had the name {self._deployed.name} before: "
                f"delete it with mfhera delete --run {run.run_id}."
            )
        found = self._times[each.moment] = each.with_run(run)
        return found


def check_parallel(parallel: int) -> None:
    """Raise OptionError for a number of runs that could not be at once."""
    of_kind("--parallel", parallel, int)
    if parallel < 1:
        raise OptionError(f"--parallel {parallel} is not valid: give 1 or more.")


def check_ended_well(times: Sequence[ScheduledRun]) -> None:
    """Raise RunFailed if there are runs that have failed; it names them."""
    failed = [each for each in times if each.failed]
    if failed:
        what = ", ".join(f"{each.run_id} ({each.in_zone}, {each.state})" for each in failed[:NAMED])
        more = f" and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
        raise RunFailed(
            f"{len(failed)} of {len(times)} runs have not succeeded: {what}{more}. "
            "backfill does not start them again while Argo has them: continue one with mfhera retry RUN."
        )


def _known(found: Iterable[Run], flow: str) -> dict[int, Run]:
    """The run that counts for each time that has one, by seconds since the epoch.

    Of several, which a resubmit makes, that is one that goes on, or has ended well, or the newest.
    """
    known: dict[int, Run] = {}
    for run in found:
        if run.scheduled_time is None or run.flow not in (flow, UNKNOWN_FLOW):
            continue
        moment = int(run.scheduled_time.timestamp())
        if moment not in known or _counts(run) > _counts(known[moment]):
            known[moment] = run
    return known


def _counts(run: Run) -> int:
    return 2 if not run.ended else 1 if run.succeeded else 0
