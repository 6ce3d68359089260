"""A flow's script, run as `python FILE` runs it, up to the flow that it starts: that one is deployed.

So does a pod run it. A script may start a flow that it has imported, one of several, or one that it has
prepared the environment for.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from metaflow import FlowSpec
from metaflow.exception import MetaflowException
from metaflow.user_decorators.user_flow_decorator import FlowMutator

from metaflow_hera.errors import FlowError, UsageError
from metaflow_hera.metaflow_api.load.advice import about_the_flow, why_not_imported
from metaflow_hera.metaflow_api.load.messages import message_of

METAFLOWS = "metaflow.py"
"""A file that is imported in place of Metaflow, where it lies beside the flow, or is the flow."""

LOADING = "METAFLOW_HERA_LOADING"
"""The variable that is set while a script is loaded to be deployed: it must not deploy anything meanwhile."""


class _Started(BaseException):
    """Ends the script where Metaflow's command line would end it."""


def started_flow(path: Path, arguments: Sequence[str]) -> Any:
    """The class of the flow that a script starts, given Metaflow's arguments.

    The script stays `__main__`, as which pods have it. Like a pod it has no input. Raises FlowError for a
    script that fails, or that starts no flow.
    """
    from metaflow import cli

    from metaflow_hera.metaflow_api.pod.commands import main_module

    if path.suffix == ".ipynb":
        raise FlowError(
            f"{path.name} is a notebook: deploy its flow in a cell, "
            "from metaflow_hera import deploy; deploy(MyFlow)."
        )
    if path.suffix != ".py":
        raise FlowError(f"{path.name} is not a Python file: give the path of a flow's script.")
    if (path.parent / METAFLOWS).exists():
        raise FlowError(f"{METAFLOWS} in the flow's folder hides Metaflow from pods: give it another name.")
    # What `python FILE` makes of them. Metaflow takes the script's place, name and folder from here.
    sys.path.insert(0, str(path.parent))
    sys.argv = [str(path), *arguments]
    found: list[Any] = []

    def start(flow: Any, *_: Any, **__: Any) -> None:
        found.append(type(flow))
        raise _Started

    metaflows, cli.main, stdin = cli.main, start, sys.stdin
    os.environ[LOADING] = "1"
    module = main_module(str(path))
    try:
        with open(os.devnull, encoding="utf-8") as sys.stdin:
            exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    except _Started:
        pass
    except MetaflowException as error:
        said = message_of(error)
        raise FlowError(f"{said}{about_the_flow(said)}") from error
    except UsageError:  # of this package's own interface, which the script uses
        raise
    except (Exception, SystemExit) as error:
        if not found:
            why = why_not_imported(path, error)
            raise FlowError(f"{path.name} cannot be imported: {why}") from error
    finally:
        cli.main, sys.stdin = metaflows, stdin
        os.environ.pop(LOADING, None)
    if not found:
        raise _starts_none(path, module)
    return found[0]


def _starts_none(path: Path, module: ModuleType) -> FlowError:
    candidates = (v._flow_cls if isinstance(v, FlowMutator) else v for v in vars(module).values())
    names = [
        each.__name__
        for each in candidates
        if inspect.isclass(each) and issubclass(each, FlowSpec) and each is not FlowSpec
    ]
    if not names:
        return FlowError(f"{path.name} has no flow: it starts no class that extends FlowSpec.")
    return FlowError(
        f"{path.name} does not start its flow, so a pod could not either: "
        f"add the lines 'if __name__ == \"__main__\":' and '    {names[-1]}()' to its end."
    )
