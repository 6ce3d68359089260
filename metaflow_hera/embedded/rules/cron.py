"""Cron schedules as Argo reads them, with robfig/cron v3: which it accepts, and when they fire.

Five fields, names of months and days, `*`, `?`, ranges, steps, lists, and the descriptors; Sunday is 0 only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

MONTHS = {
    name: i
    for i, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
DAYS = {name: i for i, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
FIELDS: list[tuple[int, int, dict[str, int]]] = [
    (0, 59, {}),
    (0, 23, {}),
    (1, 31, {}),
    (1, 12, MONTHS),
    (0, 6, DAYS),
]
DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
DURATION = re.compile(r"(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+")
SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
MOST_YEARS = 5
"""How far ahead robfig/cron looks for a time that matches."""


@dataclass(frozen=True)
class Every:
    """A schedule that fires a number of whole seconds after the last time."""

    seconds: float

    def next(self, after: float, zone: tzinfo | None) -> float | None:
        """The next time, in seconds since the epoch."""
        return float(int(after)) + self.seconds


@dataclass(frozen=True)
class Fields:
    """The values of the five fields; `either` says that a day of the month or one of the week is enough."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    def next(self, after: float, zone: tzinfo | None) -> float | None:
        """The next time after `after` at which the clock of a zone shows what the fields say; None if it
        never does.

        A zone of None is this machine's. An hour that the clock skips is skipped; one that it shows
        twice comes twice. Times are seconds since the epoch.
        """
        at = float(int(after) // 60 * 60 + 60)
        last = local(after, zone).year + MOST_YEARS
        while True:
            now = local(at, zone)
            if now.year > last:
                return None
            if now.month not in self.months:
                year, month = divmod(now.year * 12 + now.month, 12)
                at = _midnight(year, month + 1, 1, now, at)
            elif not self._is_day(now):
                tomorrow = now.date() + timedelta(days=1)
                at = _midnight(tomorrow.year, tomorrow.month, tomorrow.day, now, at)
            elif now.hour not in self.hours:
                at += (60 - now.minute) * 60
            elif now.minute not in self.minutes:
                minute = min((each for each in self.minutes if each > now.minute), default=60)
                later = at + (minute - now.minute) * 60
                moved = local(later, zone).utcoffset() != now.utcoffset()  # the clock, within the hour
                at = at + 60 if moved else later
            else:
                return at

    def _is_day(self, now: datetime) -> bool:
        is_day, is_weekday = now.day in self.days, now.isoweekday() % 7 in self.weekdays
        return is_day or is_weekday if self.either else is_day and is_weekday


Schedule = Every | Fields


def parse_schedule(schedule: str) -> Schedule:
    """What a schedule says. Raises ValueError if Argo would refuse it; the message is robfig/cron's."""
    if schedule.startswith("@every "):
        return Every(_seconds(schedule))
    if schedule.startswith("@"):
        if schedule not in DESCRIPTORS:
            raise ValueError(f"unrecognized descriptor: {schedule}")
        schedule = DESCRIPTORS[schedule]
    fields = schedule.split()
    if len(fields) != 5:
        raise ValueError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    values: list[frozenset[int]] = []
    stars: list[bool] = []
    for text, (low, high, names) in zip(fields, FIELDS, strict=True):
        found: set[int] = set()
        star = False
        for part in filter(None, text.split(",")):
            some, is_star = _range(part, low, high, names)
            found.update(some)
            star = star or is_star
        values.append(frozenset(found))
        stars.append(star)
    minutes, hours, days, months, weekdays = values
    return Fields(minutes, hours, days, months, weekdays, either=not (stars[2] or stars[4]))


def check_schedule(schedule: str) -> None:
    """Raise ValueError if Argo would refuse this schedule; the message is robfig/cron's."""
    parse_schedule(schedule)


def local(at: float, zone: tzinfo | None) -> datetime:
    """What the clock of a zone shows at a time, with the zone."""
    return datetime.fromtimestamp(at, zone) if zone is not None else datetime.fromtimestamp(at).astimezone()


def _midnight(year: int, month: int, day: int, now: datetime, at: float) -> float:
    """The beginning of a day, later than `at`; where the clock skips midnight, the first moment after."""
    zone = now.tzinfo if hasattr(now.tzinfo, "key") else None
    begin = datetime(year, month, day, tzinfo=zone).timestamp()
    return begin if begin > at else at + 3600


def _seconds(schedule: str) -> float:
    text = schedule.removeprefix("@every ")
    if not DURATION.fullmatch(text):
        raise ValueError(f'failed to parse duration {schedule}: time: invalid duration "{text}"')
    parts = re.findall(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)", text)
    return max(1.0, float(int(sum(float(number) * SECONDS[unit] for number, unit in parts))))


def _range(text: str, low: int, high: int, names: dict[str, int]) -> tuple[range, bool]:
    """The values of one part of a field, and whether it is a bare star."""
    span, *steps = text.split("/")
    ends = span.split("-")
    star = ends[0] in ("*", "?")
    if star:
        start, end = low, high
    else:
        start = end = _number(ends[0], names)
        if len(ends) == 2:
            end = _number(ends[1], names)
        elif len(ends) > 2:
            raise ValueError(f"too many hyphens: {text}")
    if len(steps) > 1:
        raise ValueError(f"too many slashes: {text}")
    step = _number(steps[0], {}) if steps else 1
    if steps and len(ends) == 1:
        end = high
    if start < low:
        raise ValueError(f"beginning of range ({start}) below minimum ({low}): {text}")
    if end > high:
        raise ValueError(f"end of range ({end}) above maximum ({high}): {text}")
    if start > end:
        raise ValueError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {text}")
    return range(start, end + 1, step), star and step == 1


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch(r"\d+", text, re.ASCII):
        raise ValueError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)
