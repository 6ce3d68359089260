"""The scripts of flows, as their text tells: quick, nothing is imported, and a script may lie."""

from __future__ import annotations

import shlex
from difflib import get_close_matches
from pathlib import Path

LIMIT = 1 << 20
"""Larger files, in bytes, are not read: they are not flows."""
MOST = 3
"""How many scripts a message names."""


def is_flow(path: Path) -> bool:
    """Whether a file looks like a flow's script."""
    try:
        return path.suffix == ".py" and path.stat().st_size < LIMIT and b"FlowSpec" in path.read_bytes()
    except OSError:
        return False


def flows_in(folder: Path) -> list[Path]:
    """The scripts of a folder that look like a flow's, by name."""
    try:
        return sorted(each for each in folder.iterdir() if is_flow(each))
    except OSError:
        return []


def absent(file: str) -> str:
    """What to say of a path at which there is no file: which flow's script may be meant."""
    path = Path(file)
    ask = "give the path of a flow's script"
    if path.is_dir():
        return f"{file} is a folder, and no file: {ask}{_such_as(flows_in(path))}"
    if "=" in file:
        return f"There is no file {file}: {ask}. A Parameter's value is given as --param {shlex.quote(file)}."
    scripts = {each.stem: each for each in flows_in(path.parent)}
    near = [scripts[stem] for stem in get_close_matches(path.stem, scripts, n=2)]
    if not near:  # the name of the flow in place of its file's
        head = f"class {path.name}(".encode()
        near = [each for each in scripts.values() if head in each.read_bytes()]
    if near:
        return f"There is no file {file}: did you mean {' or '.join(map(str, near))}?"
    return f"There is no file {file}: {ask}{_such_as([*scripts.values()])}"


def _such_as(scripts: list[Path]) -> str:
    if not scripts:
        return "."
    return f", such as {', '.join(shlex.quote(str(each)) for each in scripts[:MOST])}."
