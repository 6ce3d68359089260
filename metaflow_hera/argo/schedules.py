"""The schedules of a deployment at a server, and when they start it next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from heapq import merge
from itertools import islice
from zoneinfo import ZoneInfo

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.deployments import crons_of
from metaflow_hera.embedded.rules.cron import parse_schedule
from metaflow_hera.errors import UnsupportedError


@dataclass(frozen=True)
class Schedule:
    """A cron expression with its time zone."""

    expression: str
    zone: str
    suspended: bool


@dataclass(frozen=True)
class Firing:
    """When a schedule starts its flow; the time is in UTC."""

    time: datetime
    schedule: Schedule

    @property
    def in_zone(self) -> str:
        """The time as the clocks of the schedule's zone show it."""
        return f"{self.time.astimezone(ZoneInfo(self.schedule.zone)):%Y-%m-%d %H:%M} {self.schedule.zone}"


def schedules_of(client: ArgoClient, deployment: str) -> list[Schedule]:
    """The schedules of a deployment."""
    return [
        Schedule(expression, cron["spec"].get("timezone") or "UTC", bool(cron["spec"].get("suspend")))
        for cron in crons_of(client, deployment)
        for expression in cron["spec"].get("schedules") or ()
    ]


def firings(schedules: Sequence[Schedule], count: int, after: datetime | None = None) -> list[Firing]:
    """The next times of all schedules that are not suspended, the earliest first.

    Raises UnsupportedError for a schedule of the server that cannot be read here.
    """
    begin = after or datetime.now(timezone.utc)
    each = [_firings(schedule, begin) for schedule in schedules if not schedule.suspended]
    return list(islice(merge(*each, key=lambda firing: firing.time), count))


def _firings(schedule: Schedule, after: datetime) -> Iterator[Firing]:
    """The times of one schedule, as Argo reads it."""
    try:
        zone, times = ZoneInfo(schedule.zone), parse_schedule(schedule.expression)
    except (ValueError, KeyError, OSError) as error:
        raise UnsupportedError(
            f"The next runs of the schedule {schedule.expression} ({schedule.zone}) are unknown: {error}."
        ) from error
    at = times.next(after.timestamp(), zone)
    while at is not None:
        yield Firing(datetime.fromtimestamp(at, timezone.utc), schedule)
        at = times.next(at, zone)
