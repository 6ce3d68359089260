"""The cron expressions of @schedule, AWS's or Unix's, as Argo reads them.

Argo parses cron with robfig/cron v3: five fields, Sunday is 0 and only 0, no year and none of AWS's L, W
and #. AWS: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from metaflow_hera.embedded.rules.cron import DESCRIPTORS, check_schedule
from metaflow_hera.errors import UnsupportedError

SUNDAY_BY_7 = 7
FIRST_YEAR, LAST_YEAR = 1970, 2199


@dataclass(frozen=True)
class Field:
    """A field of a cron expression: its bounds, and the names of its numbers from `low` up."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        """The number that a text stands for. Raises ValueError if it is not one of the field's."""
        if text.upper() in self.names:
            return self.low + self.names.index(text.upper())
        if not re.fullmatch("[0-9]+", text) or not self.low <= int(text) <= self.high:
            names = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
            raise ValueError(f"{text!r} is not a valid {self.name}: use {self.low} to {self.high}{names}")
        return int(text)


MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY = Field("day of the month", 1, 31)
MONTH = Field("month", 1, 12, MONTHS)
UNIX_WEEKDAY = Field("day of the week", 0, SUNDAY_BY_7, DAYS)
AWS_WEEKDAY = Field("day of the week", 1, 7, DAYS)
YEAR = Field("year", FIRST_YEAR, LAST_YEAR)


def argo_schedule(expression: str, where: str | None = None) -> str:
    """Argo's five cron fields for an expression: six fields are AWS's, five are Unix's.

    `where` says where the expression is written, @schedule by default. Raises UnsupportedError for one that
    is neither, that Argo cannot express, or that never matches a date; the message says which.
    """
    try:
        result = _translated(expression.split())
        check_schedule(result)
        _check_comes_true(result)
    except ValueError as error:
        raise UnsupportedError(f"{where or f'@schedule(cron={expression!r})'}: {error}.") from error
    return result


def check_zone(zone: str, where: str | None = None) -> None:
    """Raise UnsupportedError for a time zone that does not exist; `where` says where it is written."""
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise UnsupportedError(
            f"{where or f'@schedule(timezone={zone!r})'}: there is no such time zone. "
            "Use a name from the IANA list, such as 'Europe/Berlin' or 'America/Los_Angeles'."
        ) from error


def _translated(fields: list[str]) -> str:
    if fields and fields[0].startswith(("TZ=", "CRON_TZ=")):
        raise ValueError("write the time zone as @schedule(timezone=...)")
    if len(fields) == 1 and fields[0] in DESCRIPTORS:
        return DESCRIPTORS[fields[0]]
    if fields and fields[0] == "@every":
        raise ValueError(
            "the times of @every depend on when Argo's controller was started; "
            "write a cron expression such as '*/30 * * * *'"
        )
    if len(fields) == 6:
        return _aws(*fields)
    if len(fields) == 5:
        return _unix(*fields)
    raise ValueError(f"a cron expression has five fields (Unix) or six (AWS), and this one has {len(fields)}")


def _aws(minute: str, hour: str, day: str, month: str, weekday: str, year: str) -> str:
    _check_year(year)
    if day == "?" and weekday == "?":
        raise ValueError("only one of the day of the month and the day of the week can be ?")
    if not {day, weekday} & {"?", "*"}:
        raise ValueError(
            "AWS allows only one of the day of the month and the day of the week, the other must be ?; "
            "Argo would run it on either"
        )
    _refuse_marks(day, DAY, "LW")
    if weekday.upper() == "L":
        weekday = "SAT"  # what AWS calls the last day of the week
    _refuse_marks(weekday, AWS_WEEKDAY, "L#")
    parts = [
        *_common(minute, hour, day, month),
        _field(weekday, AWS_WEEKDAY, shift=-1),
    ]
    return " ".join(parts)


def _unix(minute: str, hour: str, day: str, month: str, weekday: str) -> str:
    _refuse_marks(day, DAY, "LW")
    _refuse_marks(weekday, UNIX_WEEKDAY, "L#")
    if "?" in (day, weekday) and re.search("[0-9]", weekday.partition("/")[0]):
        raise ValueError(
            "five fields are Unix's and ? is AWS's, and the two count the days of the week differently: "
            "write the day as a name, such as MON"
        )
    if (day.startswith("*/") and weekday not in "*?") or (weekday.startswith("*/") and day not in "*?"):
        raise ValueError(
            "with a step after *, cron runs it when both the day of the month and the day of the week match, "
            "and Argo when either matches; write it as a range, such as 1-31/2, if you mean either"
        )
    return " ".join([*_common(minute, hour, day, month), _field(weekday, UNIX_WEEKDAY)])


def _common(minute: str, hour: str, day: str, month: str) -> list[str]:
    return [_field(minute, MINUTE), _field(hour, HOUR), _field(day, DAY), _field(month, MONTH)]


def _field(text: str, field: Field, shift: int = 0) -> str:
    if text == "?" and field.name.startswith("day"):
        return "*"
    return ",".join(_part(part, field, shift) for part in text.split(","))


def _part(text: str, field: Field, shift: int) -> str:
    """One item of a list: `*`, a value or a range, each with or without a step.

    Names stay as they are; `shift` is added to numbers.
    """
    span, slash, step = text.partition("/")
    if slash and not (re.fullmatch("[0-9]+", step) and int(step) > 0):
        raise ValueError(f"{step!r} is not a valid step in {text!r}: use a number of 1 or more")
    if span == "*":
        return text
    start, dash, end = span.partition("-")
    first = field.number(start)
    last = field.number(end) if dash else first
    if last < first:
        raise ValueError(f"{span!r} runs backwards: write two ranges")
    if dash and first == last:
        dash = end = slash = step = ""  # one value; croniter reads such a range as all values
    if field is UNIX_WEEKDAY and SUNDAY_BY_7 in (first, last):
        top = field.high - 1 if slash and not dash else last
        days = {number % 7 for number in range(first, max(first, top) + 1, int(step or 1))}
        return ",".join(map(str, sorted(days)))
    if shift and start.isdigit():
        start = str(first + shift)
    if shift and end.isdigit():
        end = str(last + shift)
    return f"{start.upper()}{dash}{end.upper()}{slash}{step}"


def _refuse_marks(text: str, field: Field, marks: str) -> None:
    """Raise ValueError for AWS's L, W and #."""
    meanings = {
        "L": "the last such day of a month",
        "W": "the weekday nearest to a day",
        "#": "the n-th such weekday of a month",
    }
    for part in text.upper().split(","):
        bare = re.sub("|".join(field.names), "", part) if field.names else part
        for mark in marks:
            if mark in bare:
                raise ValueError(
                    f"Argo's cron has no {mark} ({meanings[mark]}): schedule all the days that it may be, "
                    "and let the first step check the date"
                )


def _check_year(text: str) -> None:
    every = {f"{FIRST_YEAR}-{LAST_YEAR}", "*", "*/1"}
    if text not in every:
        _field(text, YEAR)
        raise ValueError(
            "Argo's cron has no year: write * for it, and delete the deployment when it is no longer needed"
        )


def _check_comes_true(schedule: str) -> None:
    from croniter import CroniterBadDateError, croniter  # which only flows with schedules need

    try:
        croniter(schedule, datetime.now(timezone.utc)).get_next(datetime)
    except CroniterBadDateError as error:
        raise ValueError("it never runs, since there is no such date") from error
    except ValueError as error:  # CroniterError, which older versions do not export
        raise ValueError(f"it is not a cron expression: {error}") from error
