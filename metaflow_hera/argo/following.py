"""Following a run: looking again and again, the less often the more it costs, until the run has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.run import Run
from metaflow_hera.argo.runs import get
from metaflow_hera.errors import ArgoUnreachable

R = TypeVar("R")

PATIENCE = 120.0
"""For how many seconds to keep watching a run while its server does not answer."""


def follow(
    client: ArgoClient,
    run: str,
    *,
    steps: bool,
    sleep: Callable[[float], None] = time.sleep,
    note: Callable[[str], None] = lambda _: None,
) -> Iterator[Run]:
    """A run as it changes: the first is yielded at once, and the last is the run that has ended.

    If the server does not answer for a while (because it restarts, say), this waits, and tells `note` so
    once. The more a request costs, the fewer are made.
    """
    while True:
        before = time.monotonic()
        current = patiently(client, lambda: get(client, run, steps=steps), sleep, note)
        cost = time.monotonic() - before  # before the yield: the time that the reader takes is not the look's
        yield current
        if current.ended:
            return
        sleep(pause_after(cost))


def patiently(
    client: ArgoClient,
    look: Callable[[], R],
    sleep: Callable[[float], None] = time.sleep,
    note: Callable[[str], None] = lambda _: None,
) -> R:
    """What a look finds. If the server does not answer for a while, this waits, and tells `note` so once."""
    silent_since: float | None = None
    while True:
        before = time.monotonic()
        try:
            return look()
        except ArgoUnreachable:
            if silent_since is None:
                silent_since = before
                start = " (mfhera local start starts it)" if client.target.embedded else ""
                note(f"{client.target} cannot be reached at the moment: waiting for it{start}.")
            if time.monotonic() - silent_since > PATIENCE:
                raise
            sleep(1.0)


def pause_after(cost: float) -> float:
    """The seconds until the next look, after one that took so many: the more one costs, the fewer."""
    return max(0.5, 4 * cost)


def sleep_until(run: str, timeout: float | None) -> Callable[[float], None]:
    """A `sleep` for `follow` that raises TimeoutError once that many seconds have passed; None: never."""
    deadline = float("inf") if timeout is None else time.monotonic() + timeout

    def sleep(seconds: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"{run} has not ended within {timeout} seconds: it is still running.")
        time.sleep(min(seconds, left))

    return sleep
