"""What is told of what a task has stored: values of plain Python, and of all else its name."""

from __future__ import annotations

import datetime
import json
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from metaflow_hera.graph.tasks import TaskKey
from metaflow_hera.metaflow_api.pod.run_store import RunStore
from metaflow_hera.metaflow_api.read import results

TASK = TaskKey("train", (3,))
RAN: list[str] = []


class Own:
    """A class of a flow's own, whose pickle would run something."""

    def __reduce__(self) -> tuple[Any, ...]:
        return RAN.append, ("it ran",)


class Thing:
    """Another one."""


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stores artifacts as a task does, and tells what is answered about them."""
    (tmp_path / ".metaflow").mkdir()
    monkeypatch.chdir(tmp_path)

    def answer(artifacts: dict[str, Any]) -> Any:
        store = RunStore("AFlow", "local", str(tmp_path / ".metaflow"), "argo-a")
        task = store._store.get_task_datastore("argo-a", TASK.step, TASK.task_id, attempt=0, mode="w")
        task.init_task()
        task.save_artifacts(artifacts.items())
        task.done()
        results.answer(store, TASK, tmp_path)
        return json.loads((tmp_path / results.FILE).read_text())

    return answer


def test_plain_values_are_told_and_others_by_name(stored: Any) -> None:
    found = stored(
        {
            "rate": 0.5,
            "text": "<b>as it is</b>",
            "counts": Counter("aab"),
            "day": datetime.date(2026, 1, 2),
            "own": [Own()],
            "thing": Thing(),
            "long": "x" * 3_000,
            "large": "x" * (results.SMALL + 1),
            "_hidden": 1,
        }
    )
    told = {each["name"]: (each["type"], each["value"], each["note"]) for each in found["artifacts"]}
    assert told == {
        "rate": ("float", "0.5", ""),
        "text": ("str", "<b>as it is</b>", ""),
        "counts": ("collections.Counter", "Counter({'a': 2, 'b': 1})", ""),
        "day": ("datetime.date", "datetime.date(2026, 1, 2)", ""),
        "own": ("list", None, "it holds a builtins.getattr"),
        "thing": (f"{__name__}.Thing", None, ""),
        "long": ("str", "x" * results.SHOWN, "the first 2,000 characters"),
        "large": ("str", None, "large"),
    }
    assert RAN == []
    assert found["pathspec"] == "AFlow/argo-a/train/train-3"
    assert all(each["size"] > 0 for each in found["artifacts"])


def test_what_is_answered_is_bounded(stored: Any) -> None:
    found = stored({f"a{number:04}": number for number in range(results.ARTIFACTS + 7)})
    assert (len(found["artifacts"]), found["more"]) == (results.ARTIFACTS, 7)
    assert sum(each["value"] is not None for each in found["artifacts"]) == results.VALUES


def test_a_task_without_results_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = RunStore("AFlow", "local", str(tmp_path / ".metaflow"), "argo-a")
    results.answer(store, TASK, tmp_path)
    found = json.loads((tmp_path / results.FILE).read_text())
    assert (found["attempt"], found["artifacts"], found["cards"]) == (None, [], [])


@pytest.mark.parametrize("blob", [b"", b"no pickle", pickle.dumps([1])[:-1]])
def test_what_is_damaged_is_told(blob: bytes) -> None:
    value, note = results._value(blob)
    assert value is None
    assert note.startswith("it cannot be read: ")
