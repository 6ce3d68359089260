"""The compliance tests of metaflow-orchestrator-kit, which ask of any orchestrator what others got wrong.

The kit comes without the flows that it runs: those in tests/kit have their names and what it looks for.
Its test of @conda is left out, since conda's packages are not to be had from where these tests may run.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import metaflow_orchestrator_kit.compliance as kit
import pytest
from harness import TESTS, Mfhera

LEFT_OUT = "test_conda_packages_available"


@pytest.mark.slow
def test_compliance(mfhera: Mfhera) -> None:
    shutil.copytree(TESTS / "kit", mfhera.folder, dirs_exist_ok=True)
    (mfhera.folder / "kit.ini").write_text("[pytest]\n")  # not the settings of this project
    tests = Path(kit.__file__).with_name("test_compliance.py")
    done = mfhera.python(
        # By its script, which starts warm since "hera" is among the arguments, and so does what it starts.
        str(Path(sys.executable).with_name("pytest")),
        *("-q", str(tests), f"--rootdir={mfhera.folder}", "-c", "kit.ini"),
        *("-W", "ignore", "--scheduler-type", "hera", "-k", f"not {LEFT_OUT}"),
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert re.search(r"\b7 passed, 1 deselected\b", done.stdout), done.stdout[-500:]
