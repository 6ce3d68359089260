"""Why a task fails, where that may come from its being in a pod."""

from __future__ import annotations

import os
import subprocess
import sys
from bdb import BdbQuit
from pathlib import Path
from types import SimpleNamespace

import pytest
from metaflow.datastore.exceptions import UnpicklableArtifactException
from metaflow.exception import MetaflowException

from metaflow_hera.metaflow_api.decorators.internal import HeraInternalDecorator
from metaflow_hera.metaflow_api.pod.reasons import words_of

HERE = Path("/flows")
"""The folder of the script that runs."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file or directory", "data/prices.csv"), "--package-suffixes .csv"),
        (EOFError("EOF when reading a line"), "make what input() asks for a Parameter"),
        (FileNotFoundError(2, "No such file or directory", "/mnt/prices.csv"), None),
        (FileNotFoundError("no words of the system"), None),
        (FileNotFoundError(2, "No such file or directory", f"{HERE}/prices.csv"), "--package-suffixes .csv"),
        (ModuleNotFoundError("No module named 'lib'"), "a pod has the code below the flow's folder"),
        (AttributeError("Flow MyFlow has no attribute 'x'"), "assign self.x in a step before"),
        (AttributeError("no attribute 'x'"), None),
        (BdbQuit("x"), "take breakpoint() away"),
        (KeyError("x"), None),
        (ValueError("x"), None),
    ],
)
def test_advice(error: Exception, words: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(HERE / "flow.py"), raising=False)
    said = words_of(error)
    assert said.startswith(f"{type(error).__name__}: {error}")
    assert said.endswith(")") == (words is not None)
    assert (words or "") in said


def test_a_variable_that_is_not_set() -> None:
    with pytest.raises(KeyError) as told:
        os.environ["NO_SUCH_VARIABLE"]
    assert words_of(told.value).startswith(
        "KeyError: 'NO_SUCH_VARIABLE' (a pod has no variables of your shell"
    )


def test_metaflows_own_words_are_told_whole_and_without_marks() -> None:
    error = MetaflowException("Step *join* cannot merge:\n  [x].\nTo remedy this ...", 9)
    assert words_of(error) == "MetaflowException: Step join cannot merge: [x]. (line 9)"
    assert words_of(MetaflowException("It ran out.\nStack:\n> x")) == "MetaflowException: It ran out."
    assert "keep what cannot be pickled" in words_of(UnpicklableArtifactException("f"))


def test_a_decorator_that_fails_before_the_step_is_the_reason() -> None:
    """Metaflow ends the task by all decorators, also by those that never began it."""
    step = SimpleNamespace(type="linear", out_funcs=["end"])
    flow = SimpleNamespace(_transition=None)
    HeraInternalDecorator().task_finished("start", flow, {"start": step}, False, 0, 0)


def test_a_script_has_an_absolute_file_as_python_gives_it(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import os\nos.chdir('/')\nprint(__file__)\n")
    start = (
        "from metaflow_hera.metaflow_api.pod.commands import run_command; run_command('script.py', [], print)"
    )
    done = subprocess.run(
        [sys.executable, "-c", start], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{tmp_path / 'script.py'}\n"
