"""When the tasks of a place waited and ran: a bar for each of a few, of many how many ran at a time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from metaflow_hera.embedded.json_object import JSON

BARS = 6
"""A place with more tasks than this is drawn as how many ran at a time."""

BINS = 60


@dataclass(frozen=True, slots=True)
class Span:
    """Attempts with the same times, in seconds since the epoch.

    Attributes:
        made: when they began to wait for a place to run.
        started: when they began to run; None if they have not.
        ended: None if they have not.
        count: how many attempts.
        tasks: whose attempts, if these are few.
    """

    made: float
    started: float | None
    ended: float | None
    phase: str
    count: int = 1
    tasks: tuple[str, ...] = ()

    def shown(self) -> list[float | str | None]:
        """As the page gets it."""
        return [self.made, self.started, self.ended, self.phase]


def drawing(spans: list[Span], now: float) -> JSON:
    """The bars of each task, or in numbers what ran in each part of the whole duration."""
    tasks: dict[str, list[Span]] = {}
    few = all(span.tasks for span in spans)
    for span in spans if few else ():
        for task in span.tasks:
            tasks.setdefault(task, []).append(span)
    if few and len(tasks) <= BARS:
        return {"bars": [[span.shown() for span in sorted(each, key=_made)] for each in tasks.values()]}
    ran = [span for span in spans if span.started is not None]
    waited = [now if span.ended is None else span.ended for span in spans if span.started is None]
    waits = [min(map(_made, spans)), max([*waited, *(span.started or 0.0 for span in ran)])]
    if not ran:
        return {"bins": [], "binned": waits, "waited": waits}
    first = min(span.started or 0.0 for span in ran)
    last = max(now if span.ended is None else span.ended for span in ran)
    width = max(last - first, 1.0) / BINS
    changes = [0] * (BINS + 1)
    for span in ran:
        begin = min(BINS - 1, int(((span.started or 0.0) - first) / width))
        changes[begin] += span.count
        stop = int(((now if span.ended is None else span.ended) - first) / width)
        changes[max(begin + 1, min(BINS, stop))] -= span.count
    return {"bins": list(accumulate(changes[:BINS])), "binned": [first, last], "waited": waits}


def _made(span: Span) -> float:
    return span.made
