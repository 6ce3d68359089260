"""The times of schedules within a span of time that people write, and texts that name such a time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from metaflow_hera.argo.schedules import Firing, Schedule, firings_of
from metaflow_hera.choices.checks import of_kind
from metaflow_hera.errors import OptionError, ParameterError, UnsupportedError, quoted

MOST = 100_000
"""How many times may be in a span: more are a mistake, and take long to be found."""
SECOND = timedelta(seconds=1)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
MOMENT = re.compile(rf"{DAY.pattern}([T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)
NAMED = re.compile(r"\{\{\s*([^{}\s][^{}]*?)\s*\}\}")
"""A name in a Parameter's value that stands for a time."""
NAMES = ("date", "datetime", "next")


@dataclass(frozen=True)
class Span:
    """From when until when, as it was written: each a date or a date with a time, a date meaning all of it.

    Without a zone they are in that of each schedule. `end` is by default now.
    """

    begin: str
    end: str | None = None

    def firings(self, schedules: Sequence[Schedule], now: datetime) -> list[Firing]:
        """The times of schedules in the span, each once, the earliest first, also of suspended ones.

        Raises OptionError for times that are not valid, UnsupportedError for a schedule without times of
        its own or that cannot be read.
        """
        found: dict[datetime, Firing] = {}
        for schedule in schedules:
            if schedule.expression.startswith("@every"):
                raise UnsupportedError(
                    f"The times of {schedule.expression} depend on when Argo's controller was started: "
                    "give a cron expression with --cron."
                )
            begin, end = self._bounds(schedule.tz, now)
            for firing in firings_of(schedule, begin - SECOND):
                if firing.time > end:
                    break
                found.setdefault(firing.time, firing)
                if len(found) > MOST:
                    raise OptionError(
                        f"There are more than {MOST} times from {self.begin}: choose a shorter span."
                    )
        return sorted(found.values(), key=lambda firing: firing.time)

    def _bounds(self, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
        begin = _moment("--from", self.begin, zone)
        if begin > now:
            raise OptionError(
                f"--from {self.begin} is in the future: backfill takes only times that have passed."
            )
        if self.end is None:
            return begin, now
        end = _moment("--to", self.end, zone, fold=1)
        if end > now:
            raise OptionError(f"--to {self.end} is in the future: leave it out for all times until now.")
        if DAY.fullmatch(self.end):
            after = datetime.combine(date.fromisoformat(self.end) + timedelta(days=1), time(), zone)
            end = min(after - SECOND, now)
        if begin > end:
            raise OptionError(f"--from {self.begin} is after --to {self.end}: swap them.")
        return begin, end


def _moment(option: str, text: str, zone: ZoneInfo, fold: int = 0) -> datetime:
    """A time as it is written, in UTC; a date is its beginning, and without a zone it is in the given one.

    Of an hour that the clock shows twice, `fold` says which. Raises OptionError for what is none.
    """
    of_kind(option, text, str)
    try:
        if not MOMENT.fullmatch(text):
            raise ValueError(text)
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=zone, fold=fold)
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError) as error:
        raise OptionError(
            f"{option} {quoted(text)} is not a time: give a date (2026-11-01) or a date with a time "
            "(2026-11-01T08:00, 2026-11-01T08:00+01:00)."
        ) from error


def rfc3339(moment: datetime) -> str:
    """A time as Argo writes it."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def with_times(given: Mapping[str, Any], firing: Firing, schedules: Sequence[Schedule]) -> dict[str, Any]:
    """Values of Parameters in which `{{date}}`, `{{datetime}}` and `{{next}}` are those of a firing.

    They are in its schedule's zone; the next is that of any of the schedules. Raises ParameterError for
    another name, and where there is no next time.
    """

    def time_named(match: re.Match[str]) -> str:
        if match[1] == "date":
            return f"{firing.local:%Y-%m-%d}"
        return rfc3339(firing.local if match[1] == "datetime" else _next(firing, schedules))

    def filled(name: str, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if unknown := [each for each in NAMED.findall(value) if each not in NAMES]:
            raise ParameterError(
                f"There is no {{{{{unknown[0]}}}}} for the value of Parameter {name!r}: "
                f"use {', '.join(f'{{{{{each}}}}}' for each in NAMES)}."
            )
        return NAMED.sub(time_named, value)

    return {name: filled(name, value) for name, value in given.items()}


def _next(firing: Firing, schedules: Sequence[Schedule]) -> datetime:
    following = [next(firings_of(each, firing.time), None) for each in schedules]
    times = [each.time for each in following if each is not None]
    if not times:
        raise ParameterError(f"There is no {{{{next}}}} after {firing.in_zone}: its schedule ends.")
    return min(times).astimezone(firing.schedule.tz)
