"""What git knows of a folder: the commit, the branch, and whether files differ from it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SECONDS = 5.0
"""How long git may take: nobody waits for it to deploy."""
STATUS = ("status", "--porcelain=v2", "--branch", "--untracked-files=no")


@dataclass(frozen=True)
class GitState:
    """A commit, its branch (None if none is checked out), and whether files that git knows differ from it."""

    commit: str
    branch: str | None
    dirty: bool


def git_state(folder: Path) -> GitState | None:
    """What git knows of a folder; None without git, without a repository, or without a commit."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *STATUS],
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = done.stdout.splitlines()
    about = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# ") and " " in line[2:])
    commit, branch = about.get("branch.oid", ""), about.get("branch.head", "")
    if not commit or commit.startswith("("):  # (initial): nothing has been committed yet
        return None
    return GitState(
        commit=commit,
        branch=None if branch.startswith("(") else branch,
        dirty=any(not line.startswith("# ") for line in lines),
    )
