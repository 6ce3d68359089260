"""What the pod of doctor's own run tells of itself in its log: its Python, and which libraries it lacks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from metaflow_hera.contract.datastores import LIBRARIES
from metaflow_hera.operations.health.findings import Finding, Part

OLDEST_PYTHON = (3, 10)
MARK = "mfhera-doctor:"
SCRIPT = """
import sys
line = "{mark} Python %d.%d.%d" % sys.version_info[:3]
missing = []
for name in {libraries}:
    try:
        __import__(name.replace("-", "."))
    except ImportError:
        missing.append(name)
line += " without " + ", ".join(missing) if missing else ""
print(line)
sys.stdout.flush()
exec(compile(sys.argv[1], "bootstrap", "exec"))
"""
"""What the pod runs before all else. It is read by any Python, however old."""


@dataclass(frozen=True)
class Pod:
    """What a pod has told: the version of its Python, and the packages that it had to install."""

    python: tuple[int, ...]
    missing: Sequence[str]


def script(datastore: str) -> str:
    """What a pod runs that uses a datastore."""
    return SCRIPT.format(mark=MARK, libraries=needed(datastore))


def needed(datastore: str) -> Sequence[str]:
    """The packages that a pod needs to reach a datastore, and would install: those of `runtime.bootstrap`."""
    own = LIBRARIES.get(datastore)
    return (*own, "requests") if own else ()  # which Metaflow needs itself


def told(lines: Sequence[str]) -> Pod | None:
    """What the log of the pod tells of it; None if it does not."""
    for line in lines:
        if found := re.search(rf"{MARK} Python (\d+)\.(\d+)\.(\d+)(?: without (.*))?", line):
            missing = found[4].split(", ") if found[4] else []
            return Pod(tuple(map(int, found.groups()[:3])), missing)
    return None


def of_image(part: Part, pod: Pod) -> Finding:
    """Whether the image of a pod has what a task needs."""
    version, oldest = (".".join(map(str, each)) for each in (pod.python, OLDEST_PYTHON))
    if pod.python < OLDEST_PYTHON:
        mend = f"Use an image with Python {oldest} or later: mfhera doctor --print image has one."
        return part.failed("image", f"it has Python {version}", mend)
    if pod.missing:
        return part.warning(
            "image",
            f"Python {version} without {' and '.join(pod.missing)}, which each pod installs with pip",
            "An image that has them starts sooner and needs no network: mfhera doctor --print image.",
        )
    return part.ok("image", f"Python {version}, with what the datastore needs")
