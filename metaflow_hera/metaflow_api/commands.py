"""Running one of Metaflow's commands inside this process, as `python flow.py COMMAND` would."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Sequence

import metaflow  # noqa: F401  imported before the fork, so that each child has it at once
from metaflow import cli  # noqa: F401


def run_command(script: str, arguments: Sequence[str]) -> int:
    """Run the flow's script with arguments and return the exit code that Python would end with."""
    sys.argv = [script, *arguments]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
