"""The lines of a run's logs without those that Argo, Metaflow and this package write of themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from metaflow_hera.contract.own_lines import is_set_up, is_start

if TYPE_CHECKING:
    from metaflow_hera.operations.logs import Line

MOST_LINES = 4
"""So many lines at the end of a stream of an attempt may be left out, at most."""

# Metaflow's word about the events that the end of a task publishes, in its metaflow_api.pod.events.
_PUBLISHED = re.compile(r"Argo Event \(metaflow\.\S+\.(\w+)\) published\.")


def without_own(lines: Iterator[Line]) -> Iterator[Line]:
    """Lines without those of the set-up of each attempt, and of the events that its end publishes.

    An attempt that has not come to its task keeps all lines, and so does one in which something else was
    written before: they tell how far it came. What the task itself writes is never left out.
    """
    held: dict[tuple[str, str, int], list[Line] | None] = {}  # None: the rest of the attempt is the task's
    for line in lines:
        attempt = line.step, line.task, line.attempt
        before = held.setdefault(attempt, [])
        if before is not None:
            if is_set_up(line.text):
                before.append(line)
                continue
            held[attempt] = None
            if is_start(line.text):
                continue
            yield from before
        if not _is_published(line):
            yield line
    for left in held.values():
        yield from left or ()


def _is_published(line: Line) -> bool:
    found = _PUBLISHED.fullmatch(line.text)
    return found is not None and found[1] in (line.step, "end") and line.stream != "stdout"
