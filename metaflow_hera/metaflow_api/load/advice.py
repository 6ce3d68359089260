"""What to do about a flow that cannot be loaded: one sentence beside what Python or Metaflow says."""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import os
import re
import shlex
import sys
import traceback
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import metaflow
from metaflow import FlowSpec, decorators

from metaflow_hera.metaflow_api.pod.reasons import absent_variable

ABOVE = 3
"""In how many folders above the flow's an absent module is looked for."""


def why_not_imported(path: Path, error: BaseException) -> str:
    """Why a script could not be run up to its flow: the error, where, and what to do about it."""
    said = f"{type(error).__name__}: {error}".rstrip(": ").rstrip(".")
    place = None if isinstance(error, SyntaxError) else _place(path, error)
    return f"{said}{f' ({place})' if place else ''}. {_what_to_do(path, error)}".rstrip()


def about_the_flow(message: str, flow_class: Any = None) -> str:
    """What to add to a sentence of Metaflow's about a flow or its options; nothing for most.

    `flow_class` is the flow's class, if it is known by now.
    """
    unknown = re.search(r"to an unknown step, (\w+)", message)
    if unknown:
        name, steps = unknown[1], [each for each in dir(flow_class) if _is_step(flow_class, each)]
        if callable(getattr(flow_class, name, None)):
            return f" Write @step above its method {name}."
        return _did_you_mean(name, steps)
    if "were joined" in message:
        return " A join step takes the argument inputs: def join(self, inputs)."
    wrong = re.search(r"apply decorator '(\w+)' on '([^']*)'", message)
    if wrong and not wrong[2].isidentifier():
        return f" Its attributes have names: @{wrong[1]}(NAME={wrong[2]})."
    decorator = re.search(r"Unknown step decorator (\w+)(\S*)\. ", message)
    if decorator:
        name, rest = decorator[1], decorator[2]
        known = [each.name for each in decorators.get_all_step_decos().values()]
        if rest.startswith("("):
            return f". Attributes are written as --with {name}:{rest.strip('()')}."
        return f".{_did_you_mean(name, known)}"
    return ""


def decorator_at_fault(error: BaseException) -> str | None:
    """The name of the decorator in whose code an error was raised, if any; Metaflow does not say."""
    found = [frame.f_locals.get("self") for frame, _ in _frames(error)]
    names = [each.name for each in found if isinstance(each, decorators.Decorator)]
    return names[-1] if names else None


def _is_step(flow_class: Any, name: str) -> bool:
    return hasattr(getattr(flow_class, name, None), "is_step")


def _what_to_do(path: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return ""
    if isinstance(error, EOFError):
        return "A pod has nobody who types: make what the script asks for a Parameter."
    if isinstance(error, SystemExit):
        if any(frame.f_code.co_filename == argparse.__file__ for frame, _ in _frames(error)):
            return "A flow's script is given Metaflow's arguments: make its own ones Parameters of the flow."
        return "The script ends before it starts its flow: it must not, with the arguments of Metaflow."
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _absent_module(path, error.name)
    if isinstance(error, ImportError):
        return _absent_name(str(error))
    if isinstance(error, NameError) and error.name and hasattr(metaflow, error.name):
        return f"Add {error.name} to what the script imports from metaflow."
    flow: Any = error.obj if isinstance(error, AttributeError) else None
    if inspect.isclass(flow) and issubclass(flow, FlowSpec):
        return f"{flow.__name__}() starts the flow, whatever is to be done with it."
    if absent_variable(error):
        return "Set this environment variable; pods need it too, by @environment or @secrets."
    if isinstance(error, FileNotFoundError) and (path.parent / str(error.filename)).exists():
        suffix = Path(str(error.filename)).suffix
        pack = f", and deploy with --package-suffixes {suffix}" if suffix else ""
        return f"The file is beside the script: open it from the folder of __file__{pack}."
    return f"`python {shlex.quote(_from_here(path))} check` shows the traceback."


def _absent_module(path: Path, name: str) -> str:
    top = name.partition(".")[0]
    if top != name and importlib.util.find_spec(top) is not None:
        return f"{top} is installed, but has no such module."
    if path.is_symlink():
        return f"The script is a link: give {_from_here(path.resolve())}, which has its modules beside it."
    for folder in [*path.parents][1 : 1 + ABOVE]:
        for found in (folder / f"{top}.py", folder / top):
            if found.exists() and str(folder) not in sys.path:
                return (
                    f"{_from_here(found)} is above the flow's folder, and pods get what is in that: "
                    "move the flow's script up, or link the module into its folder."
                )
    return f"Install the package that has it into {sys.prefix}, or correct the name."


def _absent_name(said: str) -> str:
    if "relative import" in said:
        return "A flow's script is no part of a package: import the module by its name alone."
    found = re.search(r"cannot import name '(\w+)' from '([\w.]+)'", said)
    module = sys.modules.get(found[2]) if found else None
    return _did_you_mean(found[1], dir(module)).strip() if found and module else ""


def _did_you_mean(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=2)
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _frames(error: BaseException) -> Iterator[tuple[Any, int]]:
    return traceback.walk_tb(error.__traceback__)


def _place(path: Path, error: BaseException) -> str | None:
    """The file and the line, of the code in the script's folder, in which an error was raised."""
    place = None
    for frame, line in _frames(error):
        file = Path(frame.f_code.co_filename)
        if path.parent in file.parents:
            place = f"{file.relative_to(path.parent)}, line {line}"
    return place


def _from_here(path: Path) -> str:
    """A path, from the current folder if it is in it."""
    here = os.path.relpath(path)
    return str(path) if here.startswith("..") else here
