"""A stand-in for micromamba, for machines that reach no channel of conda's: it makes environments with venv.

It answers what Metaflow asks when it makes the environments of @pypi. An environment has the Python that runs
this, pip, and what Metaflow has conda add; pip then gets the packages from the index, as always.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import venv
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PLATFORMS = {("Darwin", "arm64"): "osx-arm64", ("Linux", "aarch64"): "linux-aarch64"}
PACKAGES = ("pip", "requests", "urllib3", "certifi", "idna", "charset_normalizer")


def answer(root: Path, verb: str, arguments: list[str]) -> Any:
    """What micromamba would write as JSON, after it has done it."""
    prefix = next((Path(each.removeprefix("--prefix=")) for each in arguments if "--prefix=" in each), None)
    if "--prefix" in arguments:
        prefix = Path(arguments[arguments.index("--prefix") + 1])
    if verb == "config":
        name = PLATFORMS.get((platform.system(), platform.machine()), "linux-64")
        return {
            "channels": [],
            "platform": name,
            "envs_dirs": [f"{root}/envs"],
            "pkgs_dirs": [f"{root}/pkgs"],
        }
    if verb == "env":
        return {"envs": [str(each) for each in root.glob("envs/*/*/*")]}
    if verb == "list":
        return [{"name": "python", "version": platform.python_version()}]
    if "--dry-run" in arguments:
        return {"actions": {"LINK": [{"url": "https://conda.example/python.conda"}]}}
    assert verb == "create"
    assert prefix is not None
    if "--download-only" not in arguments:
        venv.create(prefix, symlinks=True)
        (packages,) = prefix.glob("lib/python*/site-packages")
        link(packages)
    return {}


def link(folder: Path) -> None:
    """Let a folder have the packages that Metaflow cannot do without."""
    for name in PACKAGES:
        found = find_spec(name)
        assert found is not None
        assert found.origin is not None
        (folder / name).symlink_to(Path(found.origin).parent)


def main() -> None:
    """Do what the arguments say."""
    verb, *arguments = sys.argv[1:]
    if verb == "run":
        _, prefix, _, *rest = arguments  # --prefix PREFIX pip3 ...
        python = f"{prefix}/bin/python"
        os.execv(python, [python, "-m", "pip", *rest])
    print(json.dumps(answer(Path(sys.argv[0]).parent, verb, arguments)))


if __name__ == "__main__":
    main()
