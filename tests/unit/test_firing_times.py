"""The times of schedules in a span that people write, through changes of the clock, and what names them."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from metaflow_hera.argo.schedules import Schedule
from metaflow_hera.errors import OptionError, ParameterError, UnsupportedError
from metaflow_hera.operations.firing_times import Span, with_times

NOW = datetime(2026, 11, 27, 12, 0, 30, tzinfo=timezone.utc)


def times(expression: str, zone: str, begin: str, end: str | None = None) -> list[str]:
    """The times of a schedule, in its zone."""
    return [
        firing.local.isoformat() for firing in Span(begin, end).firings([Schedule(expression, zone)], NOW)
    ]


@pytest.mark.parametrize(
    ("expression", "zone", "begin", "end", "expected"),
    [
        # The clock shows 2:30 twice: Argo's cron, robfig/cron v3, starts a run at both.
        (
            *("30 2 * * *", "Europe/Berlin", "2025-10-26", "2025-10-26"),
            ["2025-10-26T02:30:00+02:00", "2025-10-26T02:30:00+01:00"],
        ),
        # There is no 2:30 on this day.
        ("30 2 * * *", "Europe/Berlin", "2026-03-29", "2026-03-29", []),
        ("0 3 * * *", "Europe/Berlin", "2026-03-29", "2026-03-29", ["2026-03-29T03:00:00+02:00"]),
        # Nor a midnight on this one.
        ("0 0 * * *", "America/Santiago", "2026-09-06", "2026-09-06", []),
        # The clock moves by half an hour, within an hour.
        (
            *("5 * * * *", "America/Caracas", "2016-05-01T02:00", "2016-05-01T04:00"),
            ["2016-05-01T02:05:00-04:30", "2016-05-01T03:05:00-04:00"],
        ),
        # From and to are meant in the zone, and belong to it.
        (
            *("0 */12 * * *", "Asia/Tokyo", "2026-11-01", "2026-11-01T12:00"),
            ["2026-11-01T00:00:00+09:00", "2026-11-01T12:00:00+09:00"],
        ),
        ("0 0 * * *", "Asia/Tokyo", "2026-11-01T00:00:01", "2026-11-01T23:59", []),
        # Or in their own.
        (
            *("0 * * * *", "Asia/Tokyo", "2026-11-01T03:00Z", "2026-11-01 04:00:00+00:00"),
            ["2026-11-01T12:00:00+09:00", "2026-11-01T13:00:00+09:00"],
        ),
        # Until now, also where today is meant.
        ("0 * * * *", "UTC", "2026-11-27T11:30", None, ["2026-11-27T12:00:00+00:00"]),
        ("0 * * * *", "UTC", "2026-11-27T11:30", "2026-11-27", ["2026-11-27T12:00:00+00:00"]),
        # `--to` in the hour that comes twice is its second time, `--from` its first.
        (
            *("0 * * * *", "Europe/Berlin", "2025-10-26T02:00", "2025-10-26T02:00"),
            ["2025-10-26T02:00:00+02:00", "2025-10-26T02:00:00+01:00"],
        ),
    ],
)
def test_the_times_of_a_span(
    expression: str, zone: str, begin: str, end: str | None, expected: list[str]
) -> None:
    assert times(expression, zone, begin, end) == expected


def test_a_month_through_a_change_of_the_clock_has_each_of_its_days() -> None:
    found = times("0 6 * * *", "Europe/Berlin", "2025-10-01", "2025-10-31")
    assert [each[8:13] for each in found] == [f"{day:02}T06" for day in range(1, 32)]
    assert {each[19:] for each in found} == {"+02:00", "+01:00"}
    hours = times("0 * * * *", "Europe/Berlin", "2025-10-26", "2025-10-26")
    assert len(hours) == len(set(hours)) == 25


def test_several_schedules_are_one_order_in_which_a_moment_comes_once() -> None:
    schedules = [Schedule("0 8 * * *", "Europe/Berlin", suspended=True), Schedule("0 7,9 * * *", "UTC")]
    found = Span("2026-11-02", "2026-11-02").firings(schedules, NOW)
    assert [each.in_zone for each in found] == [
        *("2026-11-02 08:00 Europe/Berlin", "2026-11-02 09:00 UTC"),
    ]


@pytest.mark.parametrize(
    ("begin", "end", "words"),
    [
        ("yesterday", None, r"--from 'yesterday' is not a time: give a date \(2026-11-01\)"),
        (5, None, "--from 5 is not valid: give a text."),
        ("2026-11-01", date(2026, 11, 2), r"--to datetime.date\(2026, 11, 2\) is not valid: give a text."),
        ("2026-13-01", None, "--from '2026-13-01' is not a time"),
        ("20261101", None, "--from '20261101' is not a time"),
        ("2026-11-01", "now", "--to 'now' is not a time"),
        ("9999-12-31T23:59-14:00", None, "is not a time"),
        ("2026-11-02", "2026-11-01", "--from 2026-11-02 is after --to 2026-11-01: swap them"),
        ("2026-11-27T13:00", None, "--from 2026-11-27T13:00 is in the future: backfill takes only"),
        ("2026-11-01", "2026-11-28", "--to 2026-11-28 is in the future: leave it out"),
        ("2026-11-27T12:01", "2026-11-27", "--from 2026-11-27T12:01 is in the future"),
        ("2006-01-01", None, "There are more than 100000 times from 2006-01-01: choose a shorter span"),
    ],
)
def test_times_that_are_not_valid(begin: Any, end: Any, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        times("0 * * * *", "UTC", begin, end)


def test_schedules_that_have_no_times_of_their_own() -> None:
    with pytest.raises(UnsupportedError, match="The times of @every 1h depend on when Argo's controller"):
        times("@every 1h", "UTC", "2026-11-01")
    with pytest.raises(UnsupportedError, match="This machine has no time zone Mars/Olympus"):
        times("0 * * * *", "Mars/Olympus", "2026-11-01")
    with pytest.raises(UnsupportedError, match="are unknown: expected exactly 5 fields"):
        times("0 *", "UTC", "2026-11-01")


def test_values_name_the_time_and_the_next_one_in_the_zone() -> None:
    schedules = [Schedule("30 2 * * *", "Europe/Berlin"), Schedule("0 3 * * 1", "UTC")]
    first, *_, last = Span("2025-10-26", "2025-10-27").firings(schedules, NOW)
    given = {"day": "{{date}}", "span": "{{ datetime }}/{{next}}", "list": [1], "plain": "{x} {{}}"}
    assert with_times(given, first, schedules) == {
        "day": "2025-10-26",
        "span": "2025-10-26T02:30:00+02:00/2025-10-26T02:30:00+01:00",
        "list": [1],
        "plain": "{x} {{}}",
    }
    assert with_times({"day": "{{next}}"}, last, schedules) == {"day": "2025-10-28T01:30:00Z"}
    for other in ("time", "date-time", "workflow.name", "a date"):
        words = f"There is no {{{{{other}}}}} for the value of Parameter 'day': use"
        with pytest.raises(ParameterError, match=re.escape(words)):
            with_times({"day": f"{{{{ {other} }}}}"}, first, schedules)


def test_there_need_not_be_a_next_time() -> None:
    # robfig/cron looks for one in five years.
    leap = [Schedule("0 0 29 2 *", "UTC")]
    (only,) = Span("2096-01-01", "2096-12-31").firings(leap, NOW + timedelta(days=366 * 80))
    with pytest.raises(ParameterError, match=r"There is no \{\{next\}\} after 2096-02-29 00:00 UTC"):
        with_times({"day": "{{next}}"}, only, leap)
