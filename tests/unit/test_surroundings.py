"""Where mfhera cannot run, it says so in one sentence."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from harness import EXAMPLES, TESTS, clean_environment

from metaflow_hera.cli.main import main
from metaflow_hera.metaflow_api.versions import OLDEST_METAFLOW


def test_on_windows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 2
    assert capsys.readouterr() == (
        "",
        "mfhera: Metaflow does not run on Windows. Use mfhera in WSL, where it does.\n",
    )


def test_an_older_metaflow(tmp_path: Path) -> None:
    noted = tmp_path / "first" / "metaflow-2.18.13.dist-info" / "METADATA"
    noted.parent.mkdir(parents=True)
    noted.write_text("Metadata-Version: 2.1\nName: metaflow\nVersion: 2.18.13\n", encoding="utf-8")
    env = clean_environment(tmp_path, PYTHONPATH=str(tmp_path / "first"))
    command = [sys.executable, "-m", "metaflow_hera.cli.main", "create", EXAMPLES / "parameter_flow.py"]
    done = subprocess.run(
        [*command, "--only-json"], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "mfhera: Metaflow 2.18.13 is too old for mfhera, which needs 2.19.0 or later: "
        "pip install -U metaflow.\n"
    )


def test_the_oldest_metaflow_is_that_of_the_package() -> None:
    project = (TESTS.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert re.findall(r'"metaflow>=(\d+)\.(\d+)\.0"', project) == [tuple(map(str, OLDEST_METAFLOW))]
