"""What Metaflow's own `run` made of the random flows, recorded once.

The record is a compressed file with a line for each flow: its number, Metaflow's version, a hash of the
flow's script, and the tasks as `reading.py` tells them. It counts for the same script under the same version
of Metaflow only. Python's version has no part in it: a task holds values that all versions write alike.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness import DEPENDS_ON_HOW_IT_RUNS

FILE = Path(__file__).parent / "data" / "differential" / "runs.jsonl.gz"

Tasks = dict[str, dict[str, Any]]
Line = dict[str, Any]


def line(seed: int, script: str, tasks: Tasks) -> Line:
    """What is recorded of a flow that has just been run."""
    return {
        "seed": seed,
        "metaflow": version("metaflow"),
        "script": _hash(script),
        "tasks": {
            key: {name: value for name, value in task.items() if name not in DEPENDS_ON_HOW_IT_RUNS}
            for key, task in tasks.items()
        },
    }


def recorded(seed: int, script: str) -> Tasks | None:
    """The tasks of that flow, or None where they were not recorded with this script and this Metaflow."""
    for each in _lines():
        if (each["seed"], each["metaflow"], each["script"]) == (seed, version("metaflow"), _hash(script)):
            tasks: Tasks = each["tasks"]
            return tasks
    return None


def renew(lines: Iterable[Line]) -> None:
    """Put these lines in the place of those that the record has for the same flows."""
    by_seed = {each["seed"]: each for each in (*_lines(), *lines)}
    text = "".join(json.dumps(by_seed[seed], sort_keys=True) + "\n" for seed in sorted(by_seed))
    FILE.parent.mkdir(parents=True, exist_ok=True)
    # Without the time and the name of the file, so that the same runs make the same bytes.
    FILE.write_bytes(gzip.compress(text.encode(), mtime=0))


def _lines() -> list[Line]:
    if not FILE.exists():
        return []
    return [json.loads(text) for text in gzip.decompress(FILE.read_bytes()).splitlines()]


def _hash(script: str) -> str:
    return hashlib.sha256(script.encode()).hexdigest()[:16]
