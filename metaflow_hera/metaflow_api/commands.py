"""Running one of Metaflow's commands inside this process, as `python flow.py COMMAND` would."""

from __future__ import annotations

import builtins
import inspect
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import metaflow  # noqa: F401  imported before the fork, so that each child has it at once
from metaflow import cli  # noqa: F401


def run_command(script: str, arguments: Sequence[str]) -> int:
    """Run the flow's script with arguments and return the exit code that Python would end with."""
    sys.argv = [script, *arguments]
    try:
        main = _main_module(script)
        exec(compile(Path(script).read_bytes(), script, "exec"), main.__dict__)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _main_module(script: str) -> ModuleType:
    """A new `__main__`, as the interpreter makes it for a script.

    Metaflow has put classes of its own into the present one, for pickle to find them there
    (metaflow/tuple_util.py); they stay.
    """
    main = ModuleType("__main__")
    present = vars(sys.modules["__main__"])
    main.__dict__.update(
        {
            name: value
            for name, value in present.items()
            if inspect.isclass(value) and value.__module__ == "__main__"
        }
    )
    main.__dict__.update({"__file__": script, "__cached__": None, "__builtins__": builtins})
    sys.modules["__main__"] = main
    return main
