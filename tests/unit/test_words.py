"""Words on the terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from metaflow_hera.argo.target import Target
from metaflow_hera.cli.main import main
from metaflow_hera.cli.tables import Table
from metaflow_hera.cli.verbs.doctor import show
from metaflow_hera.cli.verbs.runs import _states
from metaflow_hera.cli.words import json_text, say_where
from metaflow_hera.display.times import local_time, noted_time, took
from metaflow_hera.operations.health.findings import Finding


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
    assert local_time(moment) == moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


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
    Table(("A", "B"), [("one\ntwo\r\nthree", "x"), ("", "\x1b")]).show(empty="")
    assert capsys.readouterr().out == "A              B\none two three  x\n               \\x1b\n"


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """A terminal of 60 columns; called, the lines on it, without their colours."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    return lambda: re.sub("\x1b\\[[0-9;]*m", "", capsys.readouterr().out).splitlines()


RUNS = Table(
    ("RUN", "VERSION", "STATE", "STARTED", "TOOK"),
    [("argo-a-long-name-of-a-flow-x7k2p", "12", "Running, suspended", "2026-11-27 17:38:41 CET", "1h07m")],
    optional=("VERSION", "TOOK", "STARTED"),
)


def test_a_narrow_terminal_gets_the_columns_that_matter(narrow: Callable[[], list[str]]) -> None:
    RUNS.show(empty="")
    assert narrow() == [
        "RUN                               STATE",
        "argo-a-long-name-of-a-flow-x7k2p  Running, suspended",
    ]


def test_a_column_of_words_folds_before_others_are_left_out(narrow: Callable[[], list[str]]) -> None:
    rows = [("2", "someone", "the rates of the bank were read twice on a Monday"), ("1", "me", "-")]
    Table(("VERSION", "BY", "WHY"), rows, optional=("BY",), folding="WHY").show(empty="")
    assert narrow() == [
        "VERSION  BY       WHY",
        "2        someone  the rates of the bank were read twice on a",
        "                  Monday",
        "1        me       -",
    ]


def test_a_pipe_gets_all_columns_a_line_for_each_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    RUNS.show(empty="")
    assert [len(line.split("  ")) > 4 for line in capsys.readouterr().out.splitlines()] == [True, True]


def test_a_finding_of_doctor_folds_below_itself(narrow: Callable[[], list[str]]) -> None:
    found = "the token can be read on its way, since the server has no certificate"
    show(Finding("server", "TLS", "warning", found, "Give Argo's server one."), heading=False)
    assert narrow() == [
        "  warning      TLS: the token can be read on its way, since",
        "               the server has no certificate",
        "               -> Give Argo's server one.",
    ]


def test_a_session_is_told_once_of_each_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("METAFLOW_HERA_HOME", str(tmp_path))
    ours = Target("http://127.0.0.1:1/", "default", embedded=True, started=1.0)
    cluster = Target("https://argo.example/", "team")
    told = []
    for target in (ours, ours, cluster, cluster, ours, replace(ours, started=2.0)):
        say_where(target)
        told.append(bool(capsys.readouterr().err))
    assert told == [True, False, True, False, True, True]
    (tmp_path / "told.json").write_text("[1]")
    say_where(ours)
    assert capsys.readouterr().err.startswith("Using the embedded Argo (http://127.0.0.1:1)")


def test_where_nothing_can_be_noted_each_command_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("METAFLOW_HERA_HOME", str(tmp_path / "absent"))
    for _ in range(2):
        say_where(Target("https://argo.example/", "team"))
        assert capsys.readouterr().err == "Using Argo at https://argo.example, namespace team.\n"
