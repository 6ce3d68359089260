"""How a run is shown while it goes on."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest

from metaflow_hera.argo.progress import StepProgress, TaskFailure
from metaflow_hera.argo.run import Run
from metaflow_hera.argo.shared_pods import TaskRetry
from metaflow_hera.choices import checks
from metaflow_hera.display.templates import template_html
from metaflow_hera.display.views import as_html, as_text, facts, run_tree
from metaflow_hera.errors import OptionError


def shown(*steps: StepProgress, phase: str = "Running", **more: object) -> str:
    run = Run(
        workflow="wide-x7k2p",
        flow="WideFlow",
        deployment="wide",
        owner="tester",
        token="wide-0-abcd",
        project=None,
        phase=phase,
        started_at=datetime.now(timezone.utc) - timedelta(minutes=2, seconds=5),
        steps=steps,
        **{"finished_at": None, "message": "", **more},  # type: ignore[arg-type]
    )
    return as_text(run_tree(run))


def test_a_foreach_that_is_under_way_has_a_bar() -> None:
    failures = [TaskFailure("-7", "no such file", 3)]
    phases = {"Succeeded": 49, "Failed": 1, "Running": 20, "Pending": 30}
    text = shown(StepProgress("work", 1, phases, expected=200, attempts=103, failures=failures))
    assert "━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ Failed 49/200, 20 running, 30 waiting, 1 failed (103 attempts)" in text
    assert "work-7 failed after 3 attempts: no such file" in text


@pytest.mark.parametrize(
    ("version", "new_code", "said"),
    [
        (3, False, "  version 3  2m05s"),
        (3, True, "  version 3, with new code  2m05s"),
        (None, True, "  with new code  2m05s"),
        (None, False, "Running  2m05s"),
    ],
)
def test_which_code_a_run_has_is_told(version: int | None, new_code: bool, said: str) -> None:
    assert said in shown(version=version, new_code=new_code)


def test_tasks_that_wait_are_told_from_those_that_run_and_their_step_has_no_clock() -> None:
    began = datetime.now(timezone.utc) - timedelta(minutes=2)
    ended = began + timedelta(seconds=30)
    some = StepProgress("work", 1, {"Succeeded": 2, "Pending": 4}, expected=6)
    some.started_at, some.finished_at = began.isoformat(), ended.isoformat()
    assert "Pending 2/6, 4 waiting  30s" in shown(some)
    some.phases |= {"Running": 1, "Pending": 3}
    assert "Running 2/6, 1 running, 3 waiting  2m00s" in shown(some)


def test_an_attempt_that_failed_is_told_while_the_task_goes_on() -> None:
    retries = [TaskRetry("-3", "ValueError: boom.", 1, runs=True), TaskRetry("-4", "no room", 3, runs=False)]
    text = shown(StepProgress("work", 1, {"Running": 1, "Pending": 1}, expected=2, retries=retries))
    assert "work-3 failed once: ValueError: boom. It runs again." in text
    assert "work-4 failed 3 times: no room. It waits to run again." in text


def test_what_has_ended_or_stands_alone_has_none() -> None:
    text = shown(
        StepProgress("start", 0, {"Running": 1}, expected=1),
        StepProgress("work", 1, {"Succeeded": 10_000}, expected=10_000),
    )
    assert "━" not in text
    assert "╌" not in text
    assert "work Succeeded 10000/10000" in text


def test_how_long_it_may_take_is_said_where_argo_knows_it() -> None:
    assert "Running  2m05s of about 10m00s" in shown(estimate=timedelta(minutes=10))
    assert "about" not in shown(estimate=timedelta(minutes=10), phase="Succeeded")
    assert "Running, suspended  2m05s" in shown(suspended=True)


def test_no_clock_goes_on_in_a_run_that_has_ended() -> None:
    began = datetime.now(timezone.utc) - timedelta(minutes=2, seconds=5)
    end = began + timedelta(seconds=30)
    text = shown(
        StepProgress("start", 0, {"Succeeded": 1}, expected=1),
        StepProgress("work", 1, {"Failed": 1}, expected=3, started_at=began.isoformat()),
        StepProgress("after", 1, {"Succeeded": 2}, expected=3, not_started=1),
        StepProgress("end", 0, expected=1, not_started=1),
        phase="Failed",
        finished_at=end,
    )
    assert "Failed 0/3, 1 failed  30s" in text
    assert "Succeeded 2/3, 1 not started" in text
    assert "end Not started" in text


def test_what_would_steer_a_terminal_is_written_out() -> None:
    evil = "\x1b]0;title\x07\x1b[2Jgone \u202e"
    failures = [TaskFailure("", evil, 1)]
    text = shown(
        StepProgress("start", 0, {"Failed": 1}, expected=1, failures=failures), phase="Failed", message=evil
    )
    text += as_text(facts("Title", {"name": evil}))
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert text.count(r"\x1b]0;title\x07\x1b[2Jgone \u202e") == 3


def test_html_has_the_colours_of_the_page_around_it() -> None:
    steps = [
        StepProgress(name, 0, {phase: 1}, expected=1)
        for name, phase in {"a": "Running", "b": "Failed", "c": "Succeeded", "d": "Pending"}.items()
    ]
    run = Run("w", "F", "d", "o", "t", None, "Running", "", None, None, steps=[*steps, StepProgress("e", 0)])
    html = as_html(run_tree(run))
    colours = set(re.findall(r"[;\"] ?(?:background-)?color: ?([^;\"]*)", html))
    themes = {f"var(--jp-{name}-color1," for name in ("info", "error", "success", "warn")}
    assert {colour.split(" ")[0] for colour in colours} == {
        *themes,
        "inherit",
        "var(--jp-ui-font-color2,",  # what is dim
    }
    assert "max-height" in html


def test_a_template_is_told_in_short_with_its_manifest_folded() -> None:
    task = {"name": "work", "arguments": {"parameters": [{"name": "step", "value": "work"}]}}
    notes = {"metaflow/flow_name": "AFlow", "metaflow/owner": "o", "metaflow/production_token": "t"}
    template = {
        "kind": "WorkflowTemplate",
        "metadata": {"name": "aflow", "annotations": notes},
        "spec": {"entrypoint": "flow", "templates": [{"name": "flow", "dag": {"tasks": [task]}}]},
    }
    reference = {"workflowSpec": {"workflowTemplateRef": {"name": "aflow"}}, "schedules": ["0 3 * * *"]}
    cron = {"kind": "CronWorkflow", "metadata": {"name": "aflow"}, "spec": reference}
    html = template_html(template, [cron], "a: <b>\n")
    short, folded = html.split("<details>")
    for words in ("WorkflowTemplate aflow", "AFlow", "work", "0 3 * * *", "CronWorkflow aflow"):
        assert words in short
    assert folded.startswith("<summary>YAML</summary><pre")
    assert folded.endswith("a: &lt;b&gt;\n</pre></details>")


@pytest.mark.parametrize("number", [0, 2**31, 99999999999999999999])
def test_a_number_that_no_field_holds_is_refused(number: int) -> None:
    with pytest.raises(OptionError, match=f"--workflow-timeout {number} is not valid: give "):
        checks.at_least(1)("--workflow-timeout", number)
