"""What is not imported where it is not needed."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from metaflow_hera.operations import control, deployment, logs
from metaflow_hera.cli import main
print("hera.workflows.models" in sys.modules, "hera.events.models" in sys.modules)
"""


def test_the_models_of_argo_events_are_for_flows_with_events() -> None:
    # They take as long to import as all of Hera's others.
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
