"""Which lines of a run's logs are the tasks' own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from metaflow_hera.contract.own_lines import SETTING_UP, STARTS_ANEW, TASK_STARTS, iteration_starts
from metaflow_hera.contract.ranges import starting
from metaflow_hera.operations.logs import Line
from metaflow_hera.operations.own_lines import without_own
from metaflow_hera.runtime import pod

SET_UP, DOWNLOADING, DOWNLOADED = (
    "Setting up task environment.",
    "Downloading code package...",
    "Code package downloaded.",
)


def shown(*texts: str, task: str = "work-3", stream: str | None = None) -> list[str]:
    lines = (Line("work", task, 0, text, stream) for text in texts)
    return [line.text for line in without_own(lines)]


def test_they_are_those_that_the_bootstrap_writes() -> None:
    source = Path(pod.__file__).with_name("bootstrap.py").read_text()
    assert set(re.findall(r'say\("([^"]*)"\)', source)) == SETTING_UP == {SET_UP, DOWNLOADING, DOWNLOADED}


@pytest.mark.parametrize("start", [TASK_STARTS, starting("work-3", 0), iteration_starts(0, "work")])
def test_the_set_up_before_a_task_is_left_out(start: str) -> None:
    assert shown(SET_UP, DOWNLOADING, DOWNLOADED, start, "mine") == ["mine"]
    assert shown(SET_UP, f"uuid.py is another. {STARTS_ANEW}", SET_UP, start, "mine") == ["mine"]
    assert shown(start, "mine", start, SET_UP) == ["mine", start, SET_UP]  # the task itself printed that


def test_a_pod_that_ends_before_its_task_keeps_all_lines() -> None:
    assert shown(SET_UP, DOWNLOADING) == [SET_UP, DOWNLOADING]
    broken = [SET_UP, DOWNLOADING, "The code package could not be fetched (gone); trying again.", DOWNLOADED]
    assert shown(*broken, TASK_STARTS, "mine") == [*broken, TASK_STARTS, "mine"]
    assert shown("of the image", SET_UP, TASK_STARTS) == ["of the image", SET_UP, TASK_STARTS]


def test_each_attempt_has_a_set_up_and_lines_of_several_may_be_mixed() -> None:
    lines = [
        Line("work", "work-0", 0, SET_UP),
        Line("work", "work-1", 0, SET_UP),
        Line("work", "work-0", 0, TASK_STARTS),
        Line("work", "work-0", 0, "one"),
        Line("work", "work-1", 0, DOWNLOADING),
        Line("work", "work-0", 1, SET_UP),
        Line("work", "work-0", 1, TASK_STARTS),
        Line("work", "work-0", 1, "two"),
    ]
    texts = [(line.task, line.attempt, line.text) for line in without_own(iter(lines))]
    assert texts == [
        ("work-0", 0, "one"),
        ("work-0", 1, "two"),
        ("work-1", 0, SET_UP),
        ("work-1", 0, DOWNLOADING),
    ]


def test_the_events_that_the_end_of_a_task_publishes_are_left_out() -> None:
    published = "Argo Event (metaflow.p.user.ann.AFlow.work) published."
    assert shown("mine", published, stream="stderr") == ["mine"]
    assert shown("mine", published, stream="stdout") == ["mine", published]
    others = ["Argo Event (data_ready) published.", "Argo Event (metaflow.AFlow.work) was not published."]
    assert shown(*others, stream="stderr") == others
