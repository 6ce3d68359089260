"""Words on the terminal."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from metaflow_hera.cli.main import main
from metaflow_hera.cli.verbs.runs import _states
from metaflow_hera.cli.words import json_text, table
from metaflow_hera.display.times import local_time, noted_time, took


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


def test_a_noted_time_is_shown_as_other_times_are() -> None:
    shown = local_time(datetime(2026, 11, 27, 15, 4, 38, tzinfo=timezone.utc))
    assert noted_time("2026-11-27T15:04:38+00:00") == shown
    assert noted_time("2026-11-27T15:04:38Z") == shown
    assert noted_time(None) == "-"
    assert noted_time("yesterday") == "yesterday"


def test_json_keeps_letters_and_writes_times() -> None:
    text = json_text({"a": "ü", "at": datetime(2024, 5, 6, tzinfo=timezone.utc)})
    assert '"ü"' in text
    assert "2024-05-06T00:00:00+00:00" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "No such command 'run'. Did you mean trigger?"),
        (["cancel"], "Did you mean terminate?"),
        (["trigger", "--who", "me"], "No such option '--who'. A Parameter is given as --param who=VALUE.\n"),
        (["trigger", "--max-n=3"], "A Parameter is given as --param max_n=VALUE."),
        (["trigger", "--parm", "a=1"], "Did you mean '--param'?"),
    ],
)
def test_what_is_mistyped_is_told_what_is_meant(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("columns", ["40", "80"])
def test_no_summary_of_a_verb_is_cut(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "..." not in capsys.readouterr().out.partition("Deploy:")[2]


def test_states_are_completed_one_after_the_other() -> None:
    assert _states("fa") == ["failed"]
    assert _states("failed,e") == ["failed,error"]


def test_a_cell_is_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    table(("A", "B"), [("one\ntwo\r\nthree", "x"), ("", "\x1b")], empty="")
    assert capsys.readouterr().out == "A              B\none two three  x\n               \\x1b\n"
