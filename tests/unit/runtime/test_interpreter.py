"""A script in a Python of its own, as @conda, @pypi and uv have it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from harness import SECONDS

from metaflow_hera.metaflow_api.pod.reasons import make_room, reason_in
from metaflow_hera.runtime.interpreter import command


@pytest.mark.parametrize(
    ("script", "code", "reason"),
    [
        ("import sys; print(sys.argv, __name__)", 0, None),
        ("import a_module", 1, "ModuleNotFoundError: No module named 'a_module'"),
        ("import sys; sys.exit(3)", 3, "SystemExit: 3"),
        ("raise ValueError('one\\ntwo')", 1, "ValueError: one"),
    ],
)
def test_it_runs_as_a_script_does_and_leaves_why_it_fails(
    tmp_path: Path, script: str, code: int, reason: str | None
) -> None:
    (tmp_path / "flow.py").write_text(script)
    make_room(tmp_path / "reason")
    done = subprocess.run(
        command(sys.executable, "flow.py", ["step", "a b"]),
        cwd=tmp_path,
        env={**os.environ, "METAFLOW_HERA_REASON": str(tmp_path / "reason")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == code, done.stderr
    said = reason_in(tmp_path / "reason")
    assert (said and said.partition(" (")[0]) == reason  # without what to do about it
    if reason is None:
        assert done.stdout == "['flow.py', 'step', 'a b'] __main__\n"
    else:
        assert reason in done.stderr
