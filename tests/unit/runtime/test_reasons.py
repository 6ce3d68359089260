"""Why a task fails, where that may come from its being in a pod."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from metaflow_hera.metaflow_api.pod.reasons import words_of


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file or directory", "data/prices.csv"), "--package-suffixes .csv"),
        (EOFError("EOF when reading a line"), "make what input() asks for a Parameter"),
        (FileNotFoundError(2, "No such file or directory", "/mnt/prices.csv"), None),
        (FileNotFoundError("no words of the system"), None),
        (ValueError("x"), None),
    ],
)
def test_advice(error: Exception, words: str | None) -> None:
    said = words_of(error)
    assert said.startswith(f"{type(error).__name__}: {error}")
    assert said.endswith(")") == (words is not None)
    assert (words or "") in said


def test_a_script_has_an_absolute_file_as_python_gives_it(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import os\nos.chdir('/')\nprint(__file__)\n")
    start = (
        "from metaflow_hera.metaflow_api.pod.commands import run_command; run_command('script.py', [], print)"
    )
    done = subprocess.run(
        [sys.executable, "-c", start], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{tmp_path / 'script.py'}\n"
