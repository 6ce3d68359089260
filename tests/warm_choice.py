"""Which warm process may be forked for a call, by the call's arguments, folder and environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import all_suffixes
from pathlib import Path

from warm_sockets import LIBRARIES, WarmProcess, paths

COMMAND = "metaflow_hera.cli.main"
INSTALLED = str(Path(sys.executable).with_name("mfhera"))
"""The script that stands for the command in a shell."""
PACKAGE = COMMAND.split(".")[0]
MODULES = tuple(all_suffixes())
CUSTOM = {"sitecustomize", "usercustomize"}
"""The modules that Python imports before any program, from a PYTHONPATH too."""


def is_of_the_command(arguments: Sequence[str]) -> bool:
    """Whether `python ARGUMENTS` is the command, or imports this package in another way."""
    if arguments[0] in ("-c", "-m"):
        return "hera" in arguments or any(PACKAGE in each for each in arguments[:2])
    return "hera" in arguments or arguments[0] == INSTALLED


def choose(
    arguments: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    find: Callable[[str, Mapping[str, str]], WarmProcess | None],
) -> WarmProcess | None:
    """The warm process for `python ARGUMENTS`; None where only a cold start is the same.

    `find` gives one of a kind that suits an environment.
    """
    for kind in _kinds(arguments, folder, env):
        found = find(kind, env)
        if found is not None and _imports_the_same(found, arguments, folder, env):
            return found
    return None


def _kinds(arguments: Sequence[str], folder: Path, env: Mapping[str, str]) -> list[str]:
    """The kinds for `python ARGUMENTS`, the best first; none where only a cold start is the same."""
    first, second, *_ = *arguments, ""
    if first.startswith("-") and first != "-c" and (first, second) != ("-m", COMMAND):
        return []
    if _is_configured(folder, env) or not all(map(os.path.isabs, paths(env))):
        return [LIBRARIES]  # what the others import may depend on the folder
    return ["hera" if is_of_the_command(arguments) else "metaflow", LIBRARIES]


def _imports_the_same(
    warm: WarmProcess, arguments: Sequence[str], folder: Path, env: Mapping[str, str]
) -> bool:
    """Whether a call would import what a warm process has: no module of its folders hides one of these."""
    folders = {(folder / each).parent for each in arguments if os.path.isfile(folder / each)}
    if arguments[0] in ("-c", "-m"):
        folders.add(folder)
    first = [place for each in paths(env) if warm.takes_paths and (place := folder / each).exists()]
    if any(place.is_file() or CUSTOM & _importable(place) for place in first):  # a file is an archive
        return False
    return not any(warm.modules & _importable(each) for each in folders.union(first))


def _importable(folder: Path) -> set[str]:
    """The names of the modules in a folder. A folder without `__init__.py` hides no module."""
    return {
        each.name.split(".")[0]
        for each in folder.iterdir()
        if (not each.is_dir() and each.name.endswith(MODULES))
        or (each / "__init__.py").exists()
        or each.name == "metaflow_extensions"
    }


def _is_configured(folder: Path, env: Mapping[str, str]) -> bool:
    """Whether Metaflow's configuration comes from files too: see metaflow_config_funcs.py."""
    local = next((each for each in (folder, *folder.parents) if (each / ".metaflow").is_dir()), None)
    home = env.get("METAFLOW_HOME", "~/.metaflowconfig")
    if home.startswith("~"):
        home = f"{env['HOME']}{home[1:]}" if "HOME" in env else ""
    return (
        "METAFLOW_PROFILE" in env
        or not home
        or (folder / home / "config.json").exists()
        or (local is not None and (local / ".metaflow" / "config.json").exists())
    )
