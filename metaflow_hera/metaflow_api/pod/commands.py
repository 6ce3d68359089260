"""Running one of Metaflow's commands inside this process, as `python flow.py COMMAND` would."""

from __future__ import annotations

import builtins
import copy
import inspect
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from metaflow import cli, decorators
from metaflow._vendor import click
from metaflow.cli_components import step_cmd  # noqa: F401  # imported before the fork, for each child
from metaflow.parameters import current_flow, flow_context
from metaflow.unbounded_foreach import UBF_CONTROL, UBF_TASK
from metaflow.user_configs.config_options import config_options

from metaflow_hera.metaflow_api.pod.reasons import words_of

__all__ = ["UBF_CONTROL", "UBF_TASK", "command_line", "main_module", "run_command"]

_start = cli.start

# Metaflow reads the source of each step, for which Python compiles regular expressions: not in each child.
inspect.getsource(copy.copy)


def command_line(flow_class: Any) -> Any:
    """Metaflow's command line with the options that the flow adds: its Configs, and @project's.

    Metaflow itself adds them when its command line is first imported, which here is before the flow is
    known.
    """
    command = copy.copy(_start)
    command.params = list(_start.params)
    with flow_context(flow_class):
        return decorators.add_decorator_options(config_options(command))


def run_command(script: str, arguments: Sequence[str], leave: Callable[[str], None]) -> int:
    """Run the flow's script with arguments and return the exit code that Python would end with.

    `leave` receives the reason if that is not 0.
    """
    sys.argv = [script, *arguments]
    # The script calls this at its end; by then the flow is known.
    cli.start = lambda **given: command_line(current_flow.flow_cls)(**given)
    try:
        path = Path(script).absolute()  # as Python has it: a step may change the working folder
        main = main_module(str(path))
        exec(compile(path.read_bytes(), str(path), "exec"), main.__dict__)
    except SystemExit as end:
        if not end.code and end.code != "":
            return 0
        cause = end.__context__ if _is_metaflows(end) else None
        if isinstance(cause, click.Abort) and cause.__context__ is not None:  # of which click tells nothing
            cause = cause.__context__
            print(words_of(cause), file=sys.stderr)
        leave(words_of(cause or end))
        if not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
            return 1
        if cause is None:  # Metaflow tells what it has caught, and Python nothing
            print(words_of(end), file=sys.stderr)
        return end.code
    except BaseException as error:
        leave(words_of(error))
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # without this module
        traceback.print_exception(error)
        return 1
    return 0


def _is_metaflows(end: SystemExit) -> bool:
    """Whether Metaflow ends with it, after it has caught an exception, and not the user's code."""
    *_, (frame, _) = traceback.walk_tb(end.__traceback__)
    return str(frame.f_globals.get("__name__")).startswith("metaflow.")


def main_module(script: str) -> ModuleType:
    """A new `__main__`, as the interpreter makes it for a script.

    Metaflow has put classes of its own into the present one, where pickle finds them
    (metaflow/tuple_util.py); they are kept.
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
