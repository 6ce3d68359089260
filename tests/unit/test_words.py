"""Words on the terminal."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from metaflow_hera.cli.words import json_text
from metaflow_hera.display.times import local_time, took


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (0.9, "0s"),
        (59, "59s"),
        (60, "1m00s"),
        (125, "2m05s"),
        (3599, "59m59s"),
        (4020, "1h07m"),
        (90000, "25h00m"),
        (-3, "0s"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert took(timedelta(seconds=seconds)) == words


def test_no_duration_and_no_time() -> None:
    assert took(None) == "-"
    assert local_time(None) == "-"


def test_times_are_in_the_users_zone() -> None:
    moment = datetime(2024, 5, 6, 7, 8, 9, tzinfo=timezone.utc)
    assert local_time(moment) == moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def test_json_keeps_letters_and_writes_times() -> None:
    text = json_text({"a": "ü", "at": datetime(2024, 5, 6, tzinfo=timezone.utc)})
    assert '"ü"' in text
    assert "2024-05-06T00:00:00+00:00" in text
