"""Which tasks of its range a pod runs, and how often: each has its own attempts, whatever becomes of pods."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from metaflow_hera.contract.ranges import Account, started
from metaflow_hera.metaflow_api.pod.packaged_settings import Retries, StepSettings
from metaflow_hera.metaflow_api.pod.run_store import MAX_ATTEMPTS, REASON, RunStore
from metaflow_hera.runtime.child import Ended
from metaflow_hera.runtime.logs import TaskLogs
from metaflow_hera.runtime.ranges import LOST, run_range
from metaflow_hera.runtime.task import PodTask

Does = Callable[[int, int], Ended | None]


class Lost(BaseException):
    """The pod is killed."""


class Tries:
    """Attempts that end as they are told to; None: the pod is killed meanwhile."""

    def __init__(self, store: RunStore, retries: int, does: Does) -> None:
        self.store = store
        self.settings: Any = SimpleNamespace(steps={"work": StepSettings(Retries(retries, retries, 0))})
        self.made: list[tuple[int, int, int]] = []
        self._does = does

    def run(self, task: PodTask, attempt: int, earlier: int) -> Ended:
        item = task.key.path[-1]
        self.made.append((item, attempt, earlier))
        self.store.begin(task.key, attempt)
        ended = self._does(item, attempt)
        if ended is None:
            raise Lost
        if ended.code:
            self.store.leave(task.key, attempt, REASON, ended.reason or "")
        else:
            stored = self.store._store.get_task_datastore(
                "argo-x", "work", task.key.task_id, attempt, mode="w"
            )
            stored.init_task()
            stored.save_artifacts([("_task_ok", True)])
            stored.done()
        return ended

    def complete(self, task: PodTask) -> None:
        """Register what a pod before this one has stored."""


GOOD, BAD = Ended(0, None), Ended(1, "bad")


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int | None, list[Any], str]]:
    """Runs a pod of the range 2-4: its exit code (None: killed), the attempts made, and what it leaves."""
    store = RunStore("MyFlow", "local", str(tmp_path / "store"), "argo-x")
    message = tmp_path / "message"
    monkeypatch.setenv("METAFLOW_HERA_MESSAGE", str(message))

    def run(does: Does, argo_retries: int = 0, retries: int = 1) -> tuple[int | None, list[Any], str]:
        message.unlink(missing_ok=True)
        task = PodTask.from_environment(
            {
                "METAFLOW_FLOW_NAME": "MyFlow",
                "METAFLOW_RUN_ID": "argo-x",
                "METAFLOW_STEP_NAME": "work",
                "METAFLOW_HERA_PATH": "-9",
                "METAFLOW_HERA_RANGE": "2-4",
                "METAFLOW_HERA_RETRIES": str(argo_retries),
            }
        )
        tries: Any = Tries(store, retries, does)
        try:
            code: int | None = run_range(task, range(2, 5), tries)
        except Lost:
            code = None
        return code, tries.made, message.read_text() if message.exists() else ""

    return run


def test_a_task_whose_pod_was_lost_at_its_end_is_registered_and_not_run_again(
    pod: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    completed: list[int] = []
    monkeypatch.setattr(Tries, "complete", lambda self, task: completed.append(task.key.path[-1]))
    pod(lambda item, attempt: GOOD)
    (note,) = tmp_path.glob("store/*/*/work/work-9-3/*.hera_well")
    note.unlink()
    for _ in range(2):
        assert pod(lambda item, attempt: GOOD, 1)[:2] == (0, [])
    assert completed == [3]


def test_a_pod_tells_argo_how_far_it_is(pod: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, seen = tmp_path / "progress", []
    monkeypatch.setenv("ARGO_PROGRESS_FILE", str(place))

    def does(item: int, attempt: int) -> Ended:
        seen.append(place.read_text())
        return BAD if item == 3 else GOOD

    pod(does)
    assert (*seen, place.read_text()) == ("0/3\n", "1/3\n", "1/3\n", "2/3\n")
    pod(does, 1)
    assert seen[3:] == ["2/3\n"]


def told(text: str) -> Account:
    found = Account.read(text)
    assert found is not None
    return found


def test_all_tasks_run_in_order_and_once(pod: Any) -> None:
    assert pod(lambda item, attempt: GOOD)[:2] == (0, [(2, 0, 0), (3, 0, 0), (4, 0, 0)])
    assert pod(lambda item, attempt: GOOD, 1)[:2] == (0, [])


def test_a_failure_keeps_no_other_task_from_running_and_only_it_runs_again(pod: Any) -> None:
    code, made, left = pod(lambda item, attempt: BAD if item == 3 else GOOD)
    assert (code, len(made)) == (4, 3)
    assert (told(left).well, told(left).failed, told(left).running) == (2, [3], None)
    code, made, left = pod(lambda item, attempt: BAD, 1)
    assert (code, made) == (3, [(3, 1, 0)])
    assert told(left).reasons is not None
    assert pod(lambda item, attempt: BAD, 2)[:2] == (3, [])


def test_a_pod_counts_the_attempts_of_all_pods_of_its_range(pod: Any) -> None:
    left = [pod(lambda item, attempt: GOOD if item == 4 else BAD, number)[2] for number in range(3)]
    assert [told(text).attempts for text in left] == [3, 5, 5]


def test_a_pod_that_is_lost_costs_an_attempt_of_one_task_only(pod: Any) -> None:
    """Three pods in a row, where each task has two attempts."""
    assert pod(lambda item, attempt: None)[0] is None
    for retries, killer in ((1, 3), (2, 4)):
        code, _, left = pod(lambda item, attempt, k=killer: None if item == k else GOOD, retries)
        assert code is None
        assert told(left).running == killer
    assert pod(lambda item, attempt: GOOD, 3)[:2] == (0, [(4, 1, 0)])


def test_a_task_that_loses_its_pod_each_time_is_given_up(pod: Any) -> None:
    for retries in range(2):
        assert pod(lambda item, attempt: None if item == 2 else GOOD, retries)[0] is None
    code, made, left = pod(lambda item, attempt: GOOD, 2)
    assert (code, [item for item, _, _ in made]) == (3, [3, 4])
    assert (told(left).well, told(left).failed) == (2, [2])
    assert LOST in left


def test_without_retries_a_lost_task_is_not_run_again_and_the_others_are(pod: Any) -> None:
    assert pod(lambda item, attempt: None if item == 3 else GOOD, 0, 0)[0] is None
    code, made, _ = pod(lambda item, attempt: GOOD, 1, 0)
    assert (code, made) == (3, [(4, 0, 0)])


def test_a_retry_of_the_whole_run_gives_each_task_all_attempts_again(pod: Any) -> None:
    for retries in range(2):
        pod(lambda item, attempt: BAD if item == 3 else GOOD, retries)
    assert pod(lambda item, attempt: BAD)[:2] == (4, [(3, 2, 2)])
    assert pod(lambda item, attempt: BAD, 1)[:2] == (3, [(3, 3, 2)])
    # Once more, and the first pod is lost before it has noted anything: it took one of the attempts with it.
    assert pod(lambda item, attempt: GOOD, 1)[:2] == (0, [(3, 4, 3)])


def test_no_attempt_is_beyond_what_metaflow_allows(pod: Any) -> None:
    for _ in range(MAX_ATTEMPTS):
        pod(lambda item, attempt: BAD if item == 2 else GOOD, 0, 0)
    code, made, left = pod(lambda item, attempt: GOOD, 0, 0)
    assert (code, made) == (3, [])
    assert "all that Metaflow allows" in left


def test_a_pod_that_is_asked_to_end_goes_no_further(pod: Any) -> None:
    code, made, left = pod(lambda item, attempt: Ended(143, "ended", asked=True))
    assert (code, len(made), told(left).running) == (143, 1, 2)
    assert pod(lambda item, attempt: Ended(0, None, asked=True), 1)[:2] == (4, [(2, 1, 0)])
    # A task may make another exit code of the signal.
    assert pod(lambda item, attempt: Ended(1, "ended", asked=True), 2, 0)[:2] == (4, [(3, 0, 0)])


def test_a_task_that_failed_is_run_again_also_if_its_pod_was_lost_before_it_could_say_so(
    pod: Any, tmp_path: Path
) -> None:
    def fails_and_is_lost(item: int, attempt: int) -> None:
        stored = RunStore("MyFlow", "local", str(tmp_path / "store"), "argo-x")._store
        task = stored.get_task_datastore("argo-x", "work", f"work-9-{item}", attempt, mode="w")
        task.save_artifacts([("_task_ok", False)])
        task.done()

    assert pod(fails_and_is_lost)[0] is None
    assert pod(lambda item, attempt: GOOD, 1)[:2] == (0, [(2, 1, 0), (3, 0, 0), (4, 0, 0)])


def test_a_task_begins_a_line_of_its_own_after_one_that_was_not_ended(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for word in ("a", "b"):
        logs = TaskLogs(tmp_path / word, lambda files: None)
        logs.write("stdout", f"Task {word} is starting (attempt 0).\nno end".encode())
        logs.close()
    lines = capfd.readouterr().out.splitlines()
    assert [started(line) for line in lines] == [("a", 0), None, ("b", 0), None]
