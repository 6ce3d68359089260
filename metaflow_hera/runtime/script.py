"""A flow's script in a Python of its own, which leaves the reason if it fails."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from metaflow_hera.contract.environment import REASON
from metaflow_hera.metaflow_api.pod.commands import run_command
from metaflow_hera.metaflow_api.pod.reasons import leave_reason


def main() -> None:
    """Run the script that is the first argument, with the others."""
    sys.path[0] = os.getcwd()  # as for a script; that of `-c` would follow each change of the folder
    _, script, *arguments = sys.argv
    sys.exit(run_command(script, arguments, partial(leave_reason, Path(os.environ[REASON]))))
