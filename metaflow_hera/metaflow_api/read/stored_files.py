"""A file in a datastore, fetched within a time: one of its own if need be.

As a script it is a process of its own: Metaflow tries S3 again for hours, and only a process can be given up.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from metaflow_hera.metaflow_api.light.storage import AT_ONCE

GONE = 3
"""The exit code of the process where the datastore has no such file."""
CODE = f"import sys; del sys.path[0]; from {__name__} import main; main(*sys.argv[1:])"


class Unreadable(Exception):
    """A file cannot be had; the message says why, and goes on after "it"."""


def fetch(datastore: str, url: str, target: Path, seconds: float) -> None:
    """Copy a file from a datastore, by its URL, in little memory. Raises Unreadable."""
    if datastore == "local":  # as pods do
        try:
            shutil.copyfile(url, target)
        except FileNotFoundError:
            raise Unreadable("is no longer there") from None
        except OSError as error:
            raise Unreadable(f"cannot be read ({error.strerror})") from error
        return
    command = [sys.executable, "-c", CODE, datastore, url, str(target)]
    env = {**os.environ, **AT_ONCE}
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise Unreadable(f"was not read within {seconds:.0f} seconds") from None
    if done.returncode == GONE:
        raise Unreadable("is no longer there")
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise Unreadable(f"cannot be read ({why})")


def main(datastore: str, url: str, target: str) -> None:
    """Fetch it, and end with GONE if it is not there, with 1 and a last line that says why otherwise."""
    try:
        from metaflow.plugins import DATASTORES

        from metaflow_hera.metaflow_api.read.log_loading import loaded_logs

        storage = next(impl for impl in DATASTORES if datastore == impl.TYPE)
        root, _, name = url.rpartition("/")
        with loaded_logs(storage(root), [name], None) as found:
            path = found[0][1]
            if path is None:
                sys.exit(GONE)
            shutil.copyfile(path, target)
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())}")
