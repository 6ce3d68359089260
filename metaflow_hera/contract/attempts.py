"""The number of an attempt, at the end of the reason why it failed.

Argo counts a task's attempts from 1 again when a whole run is retried, and Metaflow counts on. Where they
differ the pod says so in its termination message, which is all that Argo keeps of it.
"""

from __future__ import annotations

import re

_NUMBERED = re.compile(r" \(attempt ([0-9]{1,9})\)\Z")


def with_attempt(reason: str, number: int) -> str:
    """The reason with the number of the attempt, counted from 1."""
    return f"{reason} (attempt {number})"


def attempt_in(message: str) -> int | None:
    """The number in a node's message, if it has one."""
    found = _NUMBERED.search(message)
    return int(found[1]) if found else None
