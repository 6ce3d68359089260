"""The record of what Metaflow made of flows: what it counts for, and how it is renewed."""

from __future__ import annotations

from pathlib import Path

import pytest
import recorded_flows
from harness import Tasks
from recorded_flows import line, recorded, renew

TASKS: Tasks = {"start": {"x": "1", "attempt": "0", "tags": ["a"]}}


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record with nothing in it."""
    monkeypatch.setattr(recorded_flows, "FILE", tmp_path / "data" / "runs.jsonl.gz")


def test_it_counts_for_the_same_script_and_the_same_metaflow(monkeypatch: pytest.MonkeyPatch) -> None:
    assert recorded("seven", "script") is None
    renew([line("seven", "script", TASKS)])
    assert recorded("seven", "script") == {"start": {"x": "1"}}  # what it made, not how it was run
    assert recorded("eight", "script") is None
    assert recorded("seven", "another script") is None
    monkeypatch.setattr(recorded_flows, "version", lambda _: "2.19.0")
    assert recorded("seven", "script") is None


def test_what_is_recorded_anew_takes_the_place_of_the_old() -> None:
    renew([line("seven", "old", TASKS), line("eight", "script", TASKS)])
    renew([line("seven", "new", TASKS)])
    assert recorded("seven", "old") is None
    assert recorded("seven", "new") == recorded("eight", "script") == {"start": {"x": "1"}}


def test_the_same_runs_make_the_same_file() -> None:
    renew([line("seven", "script", TASKS), line("eight", "script", TASKS)])
    first = recorded_flows.FILE.read_bytes()
    recorded_flows.FILE.unlink()
    renew([line("eight", "script", TASKS)])
    renew([line("seven", "script", TASKS)])
    assert recorded_flows.FILE.read_bytes() == first
