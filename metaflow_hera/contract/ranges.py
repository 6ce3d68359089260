"""Tasks of a foreach that share a pod (`--splits-per-pod`): their range, and what the pod tells of them.

Argo knows the pod alone. So the pod keeps account of its tasks in its termination message, which is there
also when the pod is killed. Its first line is of the form `57 of 100 tasks ended well, 63 attempts; 2 failed:
3, 17; running: 58`, the others say of some tasks that failed why. Argo has that message only when the pod is
over: while it runs, the pod tells how many have ended well in Argo's progress file. The embedded Argo's page
has its own reader of both (`embedded/page/ranges.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

LONGEST_LIST = 400
"""The characters of a message that list tasks: Argo keeps the message of each pod."""
REASONS = 3
"""Of how many tasks a message says why they failed."""
LONGEST_REASON = 200

_ACCOUNT = re.compile(
    r"(?P<well>\d{1,9}) of (?P<size>\d{1,9}) tasks ended well, (?P<attempts>\d{1,9}) attempts"
    r"(?:; (?P<count>\d{1,9}) failed: (?P<failed>\d[-\d, ]*)(?:\.\.\.)?)?"
    r"(?:; running: (?P<running>\d{1,9}))?"
)
_REASON = re.compile(r"Task (\d{1,9}) \(attempt (\d{1,9})\): (.*)")
_STARTING = re.compile(r"Task (\S+) is starting \(attempt (\d{1,9})\)\.")


def split(count: int, per_pod: int) -> list[str]:
    """The items of a foreach in ranges of up to `per_pod`, each as `0-99`, its last one included."""
    return [f"{low}-{min(low + per_pod, count) - 1}" for low in range(0, count, per_pod)]


def members(text: str) -> range:
    """The items of a range."""
    low, _, high = text.partition("-")
    return range(int(low), int(high) + 1)


def how_many(items: Sequence[object]) -> int:
    """How many items a foreach has, by the output of its step: their indices, or ranges of them."""
    return sum(len(members(item)) if isinstance(item, str) else 1 for item in items)


@dataclass(frozen=True)
class Failure:
    """Why a task of a range failed, in an attempt counted from 1."""

    attempt: int
    reason: str


@dataclass(frozen=True)
class Account:
    """How far the tasks of a range are.

    `failed` names the tasks that failed by their items, of which a long message leaves out some: `failures`
    is how many there are. `running` is the item of the task that ran when this was written. `attempts` is how
    many attempts of all these tasks were begun, in the pods before as well.
    """

    well: int
    size: int
    failures: int = 0
    failed: Sequence[int] = ()
    running: int | None = None
    reasons: Mapping[int, Failure] | None = None
    attempts: int = 0

    def message(self) -> str:
        """The account as a pod's termination message.

        Each line has an end: a pod that is killed while it writes may leave the rest of a longer message
        behind.
        """
        text = f"{self.well} of {self.size} tasks ended well, {self.attempts} attempts"
        if self.failed:
            text += f"; {self.failures} failed: {_listed(self.failed)}"
        if self.running is not None:
            text += f"; running: {self.running}"
        told = list((self.reasons or {}).items())[:REASONS]
        return "".join(f"{line}\n" for line in (text, *(_told(item, failure) for item, failure in told)))

    def progress(self) -> str:
        """How many of the tasks have ended well, in the form of a pod's progress in Argo."""
        return f"{self.well}/{self.size}\n"

    @classmethod
    def read(cls, message: str) -> Account | None:
        """The account in a node's message; None if it has none."""
        found = _ACCOUNT.search(message)
        if found is None:
            return None
        reasons = {
            int(item): Failure(int(attempt), why)
            for item, attempt, why in _REASON.findall(message[found.end() :])
        }
        failed = [*islice(_unlisted(found["failed"] or ""), int(found["size"]))]
        running = int(found["running"]) if found["running"] else None
        well, size, count, attempts = (
            int(found[name] or 0) for name in ("well", "size", "count", "attempts")
        )
        return cls(well, size, count, failed, running, reasons, attempts)


def well_so_far(progress: str, size: int) -> int:
    """How many of a range's tasks have ended well, by the progress that Argo has of its running pod.

    Argo gives a pod that has told nothing yet a progress of 0/1.
    """
    well, _, told = progress.partition("/")
    return int(well) if told == str(size) and well.isdigit() else 0


def beside_account(message: str) -> str:
    """What a node's message says before the account of its pod: how that ended, in Argo's words."""
    found = _ACCOUNT.search(message)
    return (message if found is None else message[: found.start()]).strip().removesuffix(":")


def starting(task: str, attempt: int) -> str:
    """The line of a pod's log after which all lines are a task's; attempts count from 0, as in `logs`."""
    return f"Task {task} is starting (attempt {attempt})."


def started(line: str) -> tuple[str, int] | None:
    """The id and the attempt of the task that begins with a line of a pod's log."""
    found = _STARTING.fullmatch(line)
    return (found[1], int(found[2])) if found else None


def _told(item: int, failure: Failure) -> str:
    reason = " ".join(failure.reason.split())
    shown = reason if len(reason) <= LONGEST_REASON else reason[: LONGEST_REASON - 3] + "..."
    return f"Task {item} (attempt {failure.attempt}): {shown}"


def _listed(items: Iterable[int]) -> str:
    """Items as `3-5, 17`; what is too long ends in three dots."""
    runs: list[list[int]] = []
    for item in sorted(items):
        if runs and runs[-1][1] == item - 1:
            runs[-1][1] = item
        else:
            runs.append([item, item])
    text = ""
    for low, high in runs:
        text += f"{', ' if text else ''}{low}" + (f"-{high}" if high > low else "")
        if len(text) > LONGEST_LIST:
            return text + ", ..."
    return text


def _unlisted(text: str) -> Iterator[int]:
    for part in filter(None, re.split(r"[, ]+", text)):
        low, _, high = part.partition("-")
        yield from range(int(low), int(high or low) + 1)
