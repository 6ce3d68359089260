"""@schedule's expressions: what Argo gets of each, or why it cannot have it, and when it fires.

The firing times are those of libraries that know nothing of this project: pyawscron for AWS's expressions,
cronsim (Debian's cron) for Unix's. With them croniter, what `mfhera schedule` shows and what the embedded
Argo does must agree.
"""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from cronsim import CronSim
from pyawscron import AWSCron

from metaflow_hera.argo.schedules import Schedule, firings
from metaflow_hera.embedded.rules.cron import parse_schedule
from metaflow_hera.errors import UnsupportedError
from metaflow_hera.translation.cron import argo_schedule

START = datetime(2026, 11, 24, 10, 30, tzinfo=timezone.utc)

AWS = {
    "0 * * * ? *": "0 * * * *",  # what @schedule(hourly=True) holds
    "0 0 * * ? *": "0 0 * * *",  # daily
    "0 0 ? * SUN *": "0 0 * * SUN",  # weekly
    "0 10 * * ? *": "0 10 * * *",
    "15 12 * * ? *": "15 12 * * *",
    "0 18 ? * MON-FRI *": "0 18 * * MON-FRI",
    "0 8 1 * ? *": "0 8 1 * *",
    "0/15 * * * ? *": "0/15 * * * *",
    "0/10 * ? * MON-FRI *": "0/10 * * * MON-FRI",
    "0/5 8-17 ? * MON-FRI *": "0/5 8-17 * * MON-FRI",
    "0 9 ? * 1 *": "0 9 * * 0",  # AWS's first day is Sunday
    "0 9 ? * 7 *": "0 9 * * 6",
    "0 9 ? * 2-6 *": "0 9 * * 1-5",
    "0 9 ? * 2,4,6 *": "0 9 * * 1,3,5",
    "0 9 ? * 2/2 *": "0 9 * * 1/2",
    "0 9 ? * 3-3 *": "0 9 * * 2",
    "30 6 ? JAN,JUL TUE *": "30 6 * JAN,JUL TUE",
    "0 0 1 JAN ? *": "0 0 1 JAN *",
    "0 0 1 */3 ? *": "0 0 1 */3 *",
    "0 0 28 FEB ? *": "0 0 28 FEB *",
    "*/20 0-6/2 10,20,30 * ? *": "*/20 0-6/2 10,20,30 * *",
    "59 23 31 12 ? *": "59 23 31 12 *",
    "0 12 ? * wed *": "0 12 * * WED",
    "0 0 ? * SUN 1970-2199": "0 0 * * SUN",
}
UNIX = {
    "*/5 * * * *": "*/5 * * * *",
    "0 3 * * 1": "0 3 * * 1",  # Unix's Monday
    "0 3 * * 0": "0 3 * * 0",
    "0 3 * * 7": "0 3 * * 0",  # Argo has no 7
    "0 3 * * 5-7": "0 3 * * 0,5,6",
    "0 3 * * 0,6": "0 3 * * 0,6",
    "0 3 * * sat,sun": "0 3 * * SAT,SUN",
    "0 22 * * 1-5": "0 22 * * 1-5",
    "23 0-20/2 * * *": "23 0-20/2 * * *",
    "5 4 * * sun": "5 4 * * SUN",
    "0 0,12 1 */2 *": "0 0,12 1 */2 *",
    "0 4 8-14 * *": "0 4 8-14 * *",
    "0 0 1,15 * 3": "0 0 1,15 * 3",  # either of the two, as cron has it
    "15 14 1 * *": "15 14 1 * *",
    "0 0 1-31/10 * *": "0 0 1-31/10 * *",
    "@daily": "0 0 * * *",
    "@hourly": "0 * * * *",
    "@weekly": "0 0 * * 0",
}
REFUSED = {
    "0 0 L * ? *": "Argo's cron has no L",
    "0 0 LW * ? *": "Argo's cron has no L",
    "0 0 15W * ? *": "Argo's cron has no W",
    "0 0 ? * 6L *": "Argo's cron has no L",
    "0 0 ? * MON#1 *": "Argo's cron has no #",
    "0 0 ? * 3#2 *": "Argo's cron has no #",
    "0 0 * * ? 2030": "no year",
    "0 0 * * ? 2026-2030": "no year",
    "0 0 ? * ? *": "only one",
    "0 0 1 * MON *": "only one of",
    "0 0 ? * 0 *": "1 to 7",
    "0 0 ? * 8 *": "1 to 7",
    "0 0 ? * FRI-MON *": "runs backwards",
    "60 * * * *": "'60' is not a valid minute",
    "0 24 * * *": "'24' is not a valid hour",
    "0 0 0 * *": "'0' is not a valid day of the month",
    "0 0 * 13 *": "'13' is not a valid month",
    "*/0 * * * *": "not a valid step",
    "0 0 31 2 *": "never runs, since there is no such date",
    "0 0 30 FEB ? *": "never runs, since there is no such date",
    "0 0 */2 * MON": "when either matches",
    "0 10 ? * 2": "five fields are Unix's",
    "0 0": "five fields (Unix) or six (AWS)",
    "": "five fields (Unix) or six (AWS)",
    "a b c d e": "'a' is not a valid minute",
    "TZ=UTC 0 0 * * *": "timezone=",
    "@every 1h": "depend on when",
    "0 0 * * $(reboot)": "is not a valid day of the week",
}


def test_the_table_is_long_enough() -> None:
    assert len({*AWS, *UNIX, *REFUSED}) >= 60


def test_a_day_that_few_years_have() -> None:
    assert argo_schedule("0 0 29 2 *") == "0 0 29 2 *"
    assert [time.year for time in five("0 0 29 2 *")] == [2028, 2032, 2036, 2040, 2044]
    assert (
        parse_schedule("0 0 29 2 *").next(START.timestamp(), timezone.utc)
        == five("0 0 29 2 *")[0].timestamp()
    )


def by_croniter(expression: str) -> list[datetime]:
    """What croniter, with which `create` checks expressions, makes of one."""
    times = croniter(expression, START)
    return [times.get_next(datetime) for _ in range(5)]


def five(expression: str, zone: str = "UTC", start: datetime = START) -> list[datetime]:
    """What `mfhera schedule` shows."""
    return [firing.time for firing in firings([Schedule(expression, zone, False)], 5, start)]


def fired(expression: str, zone: str = "UTC", start: datetime = START) -> list[datetime]:
    """When the embedded Argo fires."""
    found, at = [], start.timestamp()
    for _ in range(5):
        at = parse_schedule(expression).next(at, ZoneInfo(zone)) or 0.0
        found.append(datetime.fromtimestamp(at, timezone.utc))
    return found


@pytest.mark.parametrize("expression", AWS)
def test_an_expression_of_aws(expression: str) -> None:
    argo = argo_schedule(expression)
    assert argo == AWS[expression]
    expected = AWSCron.get_next_n_schedule(5, START, expression.upper().replace("1970-2199", "*"))
    assert five(argo) == by_croniter(argo) == expected
    assert fired(argo) == expected


@pytest.mark.parametrize("expression", UNIX)
def test_an_expression_of_unix(expression: str) -> None:
    argo = argo_schedule(expression)
    assert argo == UNIX[expression]
    times = CronSim(
        {"@daily": "0 0 * * *", "@hourly": "0 * * * *", "@weekly": "0 0 * * 0"}.get(expression, expression),
        START,
    )
    expected = [next(times) for _ in range(5)]
    assert five(argo) == by_croniter(argo) == expected
    assert fired(argo) == expected


@pytest.mark.parametrize("expression", REFUSED)
def test_an_expression_that_argo_cannot_have(expression: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        argo_schedule(expression)
    said = str(caught.value)
    assert REFUSED[expression] in said
    assert said.startswith(f"@schedule(cron={expression!r}): ")
    assert said.endswith(".")


@pytest.mark.parametrize(
    ("expression", "zone", "start"),
    [
        (
            "0 * * * *",
            "Europe/Berlin",
            datetime(2026, 3, 28, 23, 10, tzinfo=timezone.utc),
        ),  # the hour 2 is skipped
        (
            "0 * * * *",
            "Europe/Berlin",
            datetime(2026, 10, 24, 22, 10, tzinfo=timezone.utc),
        ),  # the hour 2 comes twice
        ("0 9 * * *", "America/New_York", datetime(2026, 3, 6, 12, 0, tzinfo=timezone.utc)),
        ("0 9 * * *", "America/New_York", datetime(2026, 10, 30, 12, 0, tzinfo=timezone.utc)),
        ("*/30 * * * *", "Asia/Kolkata", datetime(2026, 6, 1, 12, 10, tzinfo=timezone.utc)),
        ("30 12 * * 1", "Australia/Lord_Howe", datetime(2026, 9, 25, 0, 0, tzinfo=timezone.utc)),
    ],
)
def test_times_in_a_zone_whose_clocks_change(expression: str, zone: str, start: datetime) -> None:
    times = CronSim(expression, start.astimezone(ZoneInfo(zone)))
    expected = [next(times).astimezone(timezone.utc) for _ in range(5)]
    assert fired(expression, zone, start) == expected
    assert five(expression, zone, start) == expected


def test_an_hour_that_the_clock_skips_is_skipped() -> None:
    """As robfig/cron has it, with which Argo reads schedules."""
    start = datetime(2026, 3, 28, 12, 0, tzinfo=timezone.utc)
    days = [
        time.astimezone(ZoneInfo("Europe/Berlin")).day for time in fired("30 2 * * *", "Europe/Berlin", start)
    ]
    assert days == [30, 31, 1, 2, 3]


def test_an_hour_that_the_clock_shows_twice_comes_twice() -> None:
    start = datetime(2026, 10, 24, 12, 0, tzinfo=timezone.utc)
    hours = [time.isoformat() for time in fired("30 2 * * *", "Europe/Berlin", start)[:2]]
    assert hours == ["2026-10-25T00:30:00+00:00", "2026-10-25T01:30:00+00:00"]
