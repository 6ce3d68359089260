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
from metaflow_hera.contract.objects import JSON
from metaflow_hera.embedded.rules.cron import parse_schedule
from metaflow_hera.errors import UnsupportedError


@dataclass(frozen=True)
class Schedule:
    """A cron expression with its time zone."""

    expression: str
    zone: str
    suspended: bool = False

    @property
    def tz(self) -> ZoneInfo:
        """Its time zone. Raises UnsupportedError for one that this machine does not know."""
        try:
            return ZoneInfo(self.zone)
        except (ValueError, KeyError, OSError) as error:
            raise UnsupportedError(
                f"This machine has no time zone {self.zone}, that of the schedule {self.expression}: "
                "install tzdata."
            ) from error


@dataclass(frozen=True)
class Firing:
    """When a schedule starts its flow; the time is in UTC."""

    time: datetime
    schedule: Schedule

    @property
    def in_zone(self) -> str:
        """The time as the clocks of the schedule's zone show it."""
        return f"{self.local:%Y-%m-%d %H:%M} {self.schedule.zone}"

    @property
    def local(self) -> datetime:
        """The time in the schedule's zone."""
        return self.time.astimezone(self.schedule.tz)


def schedules_of(client: ArgoClient, deployment: str) -> list[Schedule]:
    """The schedules of a deployment."""
    return [schedule for cron in crons_of(client, deployment) for schedule in schedules_in(cron)]


def schedules_in(cron: JSON) -> list[Schedule]:
    """The schedules of a cron workflow."""
    spec = cron["spec"]
    return [
        Schedule(expression, spec.get("timezone") or "UTC", bool(spec.get("suspend")))
        for expression in spec.get("schedules") or ()
    ]


def firings(schedules: Sequence[Schedule], count: int, after: datetime | None = None) -> list[Firing]:
    """The next times of all schedules that are not suspended, the earliest first.

    Raises UnsupportedError for a schedule of the server that cannot be read here.
    """
    begin = after or datetime.now(timezone.utc)
    each = [firings_of(schedule, begin) for schedule in schedules if not schedule.suspended]
    return list(islice(merge(*each, key=lambda firing: firing.time), count))


def firings_of(schedule: Schedule, after: datetime) -> Iterator[Firing]:
    """The times of one schedule, as Argo reads it; it may be suspended.

    Raises UnsupportedError for a schedule that cannot be read here.
    """
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
