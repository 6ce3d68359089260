"""What git knows of a flow's folder."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from metaflow_hera.operations import git_state as module
from metaflow_hera.operations.git_state import git_state

AUTHOR = ("-c", "user.name=tester", "-c", "user.email=tester@example.com")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *AUTHOR, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with a file that is committed."""
    git(tmp_path, "init", "--initial-branch", "work")
    (tmp_path / "flow.py").write_text("one")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    return tmp_path


def test_a_commit_and_its_branch(folder: Path) -> None:
    found = git_state(folder)
    assert found is not None
    assert (found.commit, found.branch, found.dirty) == (git(folder, "rev-parse", "HEAD"), "work", False)
    (folder / "notes").write_text("not git's")
    assert git_state(folder) == found
    (folder / "below").mkdir()
    assert git_state(folder / "below") == found


def test_changed_files_are_told(folder: Path) -> None:
    (folder / "flow.py").write_text("two")
    assert (found := git_state(folder)) is not None
    assert found.dirty


def test_a_commit_without_a_branch(folder: Path) -> None:
    git(folder, "checkout", "--detach")
    assert (found := git_state(folder)) is not None
    assert found.branch is None


def test_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) is None  # no repository
    assert git_state(tmp_path / "absent") is None
    git(tmp_path, "init")
    assert git_state(tmp_path) is None  # no commit
    monkeypatch.setenv("PATH", "")
    assert git_state(tmp_path) is None  # no git


def test_a_git_that_hangs_is_not_waited_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    slow = tmp_path / "bin" / "git"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(module, "SECONDS", 0.1)
    before = time.monotonic()
    assert git_state(folder) is None
    assert time.monotonic() - before < 60
