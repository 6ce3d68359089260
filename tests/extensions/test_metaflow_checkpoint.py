"""metaflow-checkpoint: an attempt finds what the last one has saved. `nox -s extensions` installs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import Tasks, assert_same, run_by_metaflow
from places import local

pytest.importorskip("metaflow_extensions.obcheckpoint", reason="needs metaflow-checkpoint: nox -s extensions")
FLOW = Path(__file__).parent / "flows" / "checkpoint_flow.py"
OF_THE_RUN = ("reference", "last", "_task_")
"""Artifacts with keys and times of one run."""


def test_checkpoints_and_models_are_what_they_are_in_metaflow(tmp_path: Path) -> None:
    with local(tmp_path) as mfhera:
        mfhera.take(FLOW)
        mfhera.ok("create", "checkpoint_flow.py")
        ours = mfhera.read(mfhera.run()["pathspec"])
        assert ours["start"]["found"] == "'second'"
        assert ours["start"]["attempt"] == 2
        assert [ours[f"work/{index}"]["saved"] for index in range(2)] == ["['a']", "['b']"]
        assert ours["join"]["read"] == "['aaa', 'bbb']"
        assert ours["end"]["loaded"] == "'bbb'"
        theirs = run_by_metaflow(mfhera, "checkpoint_flow.py")
        assert_same(comparable(theirs), comparable(ours), "metaflow", "mfhera", "checkpoint_flow.py")


def comparable(tasks: Tasks) -> Tasks:
    """The tasks without what names their run."""
    return {
        key: {name: value for name, value in task.items() if not name.startswith(OF_THE_RUN)}
        for key, task in tasks.items()
    }
