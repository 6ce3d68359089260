"""@schedule's expressions, AWS's or Unix's, as Argo's."""

from __future__ import annotations

import pytest

from metaflow_hera.errors import UnsupportedError
from metaflow_hera.translation.schedules import argo_schedule


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 * * * ? *", "0 * * * *"),  # what @schedule(hourly=True) holds
        ("0 0 * * ? *", "0 0 * * *"),  # daily
        ("0 0 ? * SUN *", "0 0 * * SUN"),  # weekly
        ("0 10 ? * MON-FRI *", "0 10 * * MON-FRI"),
        ("*/15 8-18 1,15 JAN-JUN ? *", "*/15 8-18 1,15 JAN-JUN *"),
        ("0 10 ? * WED *", "0 10 * * WED"),  # the W and the L of these are no marks
        ("0 0 1 JUL ? *", "0 0 1 JUL *"),
        ("*/5 * * * *", "*/5 * * * *"),
        ("0 3 * * 1", "0 3 * * 1"),
        ("0 3 * * 0,6", "0 3 * * 0,6"),
    ],
)
def test_expressions_that_mean_the_same(expression: str, expected: str) -> None:
    assert argo_schedule(expression) == expected


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("0 0 * * ? 2030", "year"),
        ("0 0 ? * 2 *", "counts them from 1"),
        ("0 0 ? * MON#1 *", "are not supported"),
        ("0 0 L * ? *", "L, W and #"),
        ("0 0 15W * ? *", "L, W and #"),
        ("0 0", "five or six fields"),
        ("", "five or six fields"),
        ("0 99 * * *", "not a cron expression"),
        ("a b c d e", "not a cron expression"),
    ],
)
def test_expressions_that_are_refused(expression: str, word: str) -> None:
    with pytest.raises(UnsupportedError, match=word):
        argo_schedule(expression)
