"""How a command begins, and what stops it before it has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from metaflow_hera.cli.main import of_metaflows_configuration

INTERRUPTED = """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has it ignored in the background
import metaflow_hera.cli.start
os.kill(os.getpid(), signal.SIGINT)
"""


def test_ctrl_c_while_a_command_is_being_imported_leaves_no_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(
    ("profile", "text", "words"),
    [
        ("nosuch", None, "METAFLOW_PROFILE is 'nosuch', and there is no {home}/config_nosuch.json"),
        ("", "", "{home}/config.json, Metaflow's configuration, cannot be read"),
        ("own", "{", "{home}/config_own.json, Metaflow's configuration, cannot be read"),
    ],
)
def test_metaflows_configuration_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str, text: str | None, words: str
) -> None:
    from metaflow.metaflow_config_funcs import init_config

    monkeypatch.setenv("METAFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("METAFLOW_PROFILE", profile)
    if text is not None:
        name = f"config_{profile}.json" if profile else "config.json"
        (tmp_path / name).write_text(text)
    with pytest.raises(Exception) as told:  # noqa: PT011
        init_config()
    said = of_metaflows_configuration(told.value)
    assert said is not None
    assert said.startswith(words.format(home=tmp_path))
    assert of_metaflows_configuration(KeyError("another")) is None
    assert os.path.isdir(tmp_path)
