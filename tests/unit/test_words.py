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
from metaflow_hera.cli.main import VERBS, main
from metaflow_hera.cli.suggestions import ELSEWHERE
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
        (["trigger", "--who", "me"], "No such option '--who'. A Parameter is given as --param who=me.\n"),
        (["trigger", "--who=my self"], "A Parameter is given as --param 'who=my self'."),
        (["trigger", "--max-n=3"], "A Parameter is given as --param max_n=3."),
        (["trigger", "--parm", "a=1"], "No such option '--parm'. Did you mean '--param'?"),
        (["trigger", "--max-workers", "3"], "; --max-workers is an option of mfhera create."),
        (["create", "--watch"], "No such option '--watch'. It is an option of mfhera trigger.\n"),
        (["create", "-p", "a=1"], "It is an option of mfhera trigger."),
        (["create", "--retry"], "A decorator is given as --with retry."),
        (["create", "--alpha", "1"], "No such option '--alpha'.\n"),
        (["create", "--max-num-splits", "1"], "leave it out"),
        (["logs", "--step", "a"], "mfhera logs RUN STEP"),
        (["--with", "retry", "create"], "The options of a verb come after it"),
        (["-v"], "Did you mean --version?"),
        (["flow.py", "trigger"], "The verb comes first: mfhera trigger flow.py."),
        (["my flow.py"], "The verb comes first: mfhera create 'my flow.py'."),
        (["trigger", "--param", "alpha:1"], "write --param alpha=VALUE"),
        (["trigger", "--param", "alpha", "1"], "write --param alpha=VALUE"),
    ],
)
def test_what_is_mistyped_is_told_what_is_meant(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_a_parameter_of_the_script_that_is_given_to_create(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "flow.py"
    script.write_text("alpha = Parameter('alpha')")
    with pytest.raises(SystemExit):
        main(["create", str(script), "--alpha", "1"])
    assert "A Parameter is given to each run: mfhera trigger --param alpha=1." in capsys.readouterr().err


def test_every_word_of_other_command_lines_has_a_verb_here() -> None:
    for meant in ELSEWHERE.values():
        for each in meant.split(" or "):
            assert each.split()[0] in {*VERBS, "local", "python", "--help", "--version"}


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
    for broken in ("[1]", "[" * 100_000):
        (tmp_path / "told.json").write_text(broken)
        say_where(ours)
        assert capsys.readouterr().err.startswith("Using the embedded Argo (http://127.0.0.1:1)")


def test_where_nothing_can_be_noted_each_command_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("METAFLOW_HERA_HOME", str(tmp_path / "absent"))
    for _ in range(2):
        say_where(Target("https://argo.example/", "team"))
        assert capsys.readouterr().err == "Using Argo at https://argo.example, namespace team.\n"
