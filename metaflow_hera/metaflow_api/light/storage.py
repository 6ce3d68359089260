"""A datastore as it is configured: one small object is written to it and read again.

As a script it is a process of its own: Metaflow tries S3 again for hours, and only a process can be given up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import BytesIO

from metaflow_hera.contract.objects import JSON

FOLDER = "mfhera-doctor"
"""Where the object is, below the root. It stays: Metaflow's storages cannot delete."""
CONTENT = b"written by mfhera doctor\n"
AT_ONCE = {
    "METAFLOW_S3_RETRY_COUNT": "0",
    "METAFLOW_S3_TRANSIENT_RETRY_COUNT": "0",
    "METAFLOW_S3_CLIENT_RETRY_CONFIG": '{"max_attempts": 1, "mode": "standard"}',
}
"""Metaflow's settings with which the first failure is told."""
CODE = f"import sys; del sys.path[0]; from {__name__} import main; main(sys.argv[1])"


def write_and_read(datastore: str, seconds: float) -> JSON:
    """Write to a datastore and read again: its `root`, and the `error` or None, as far as that went.

    It is given up after a time, which the error then says.
    """
    command = [sys.executable, "-c", CODE, datastore]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **AT_ONCE},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"it did not answer within {seconds:.0f} seconds"}
    try:
        found: JSON = json.loads(done.stdout.splitlines()[-1])
        return found
    except (ValueError, IndexError):
        return {"error": (done.stderr.strip().splitlines() or ["no reason given"])[-1]}


def main(datastore: str) -> None:
    """Write, read, and print what came of it."""
    found: JSON = {"error": None}
    try:
        _write_and_read(datastore, found)
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        found["error"] = f"{type(error).__name__}: {text}"
    print(json.dumps(found))


def _write_and_read(datastore: str, found: JSON) -> None:
    from metaflow.plugins import DATASTORES

    known = {impl.TYPE: impl for impl in DATASTORES}
    if datastore not in known:
        raise LookupError(f"Metaflow knows no such datastore, but {', '.join(sorted(known))}")
    root = known[datastore].get_datastore_root_from_config(lambda *_, **__: None)
    found["root"] = root
    if root is None:
        return
    storage = known[datastore](root)
    path = storage.path_join(FOLDER, "written")
    storage.save_bytes([(path, BytesIO(CONTENT))], overwrite=True)
    with storage.load_bytes([path]) as loaded:
        for _, file, _ in loaded:
            if file is None:
                raise LookupError(f"what was written to {path} is not there")
            with open(file, "rb") as stored:
                if stored.read() != CONTENT:
                    raise ValueError(f"what was written to {path} is something else now")
