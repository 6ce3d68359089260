"""Pods that run several tasks one after the other: which these are, and how far they are.

Argo knows such a pod alone. Its input `split-range` says which items of a loop it works on, as `0-99`; its
termination message says how far it is: `57 of 100 tasks ended well, 63 attempts; 2 failed: 3, 17; running:
58`, then a line for some that failed, `Task 3 (attempt 1): why`. While it runs, its progress is how
many have ended well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.page.reading import inputs_of

_RANGE = re.compile(r"(\d{1,9})-(\d{1,9})")
_ACCOUNT = re.compile(
    r"(?P<well>\d{1,9}) of (?P<size>\d{1,9}) tasks ended well, (?P<attempts>\d{1,9}) attempts"
    r"(?:; (?P<count>\d{1,9}) failed: (?P<failed>\d[-\d, ]*)(?:\.\.\.)?)?"
    r"(?:; running: (?P<running>\d{1,9}))?"
)
_REASON = re.compile(r"Task (\d{1,9}) \(attempt \d{1,9}\): (.*)")
FAILED = ("Failed", "Error")
MOST = 1_000_000
"""Tasks of a pod that are counted: more are not told apart."""


def items_of(node: JSON) -> range | None:
    """The items that a pod, or the pods of a Retry node, work on one after the other; None for all others."""
    inputs = inputs_of(node)
    found = _RANGE.fullmatch(inputs.get("split-range") or "")
    if found is None or "step" not in inputs:
        return None
    items = range(int(found[1]), int(found[2]) + 1)
    return items if 0 < len(items) <= MOST else None


def length(item: object) -> int:
    """How many tasks an item of a loop stands for: several if it is a range."""
    found = _RANGE.fullmatch(item) if isinstance(item, str) else None
    return max(1, int(found[2]) - int(found[1]) + 1) if found else 1


@dataclass(frozen=True)
class Told:
    """What is known of tasks: how many are in each phase, those that failed with the reasons known, and the
    attempts of all.
    """

    phases: Mapping[str, int]
    failed: Mapping[int, str]
    attempts: int

    def tasks(self, items: range) -> Iterator[tuple[int, str, str]]:
        """Each item with the phase of its task and why it failed, as far as that is known.

        Pods go through their items in order: those that are not known to have failed have ended well from the
        first on.
        """
        left = dict(self.phases)
        for item in items:
            if item in self.failed:
                yield item, next((phase for phase in FAILED if phase in left), "Failed"), self.failed[item]
                continue
            phase = next((each for each in ORDER if left.get(each)), "Pending")
            left[phase] = left.get(phase, 0) - 1
            yield item, phase, ""


ORDER = ("Succeeded", "Running", "Pending", "Omitted")


def told(items: range, phase: str, pods: Sequence[JSON], reason: str) -> Told:
    """What is known of tasks by the phase of their node and what its pods have left, in their order."""
    size = len(items)
    accounts = [_ACCOUNT.search(pod.get("message") or "") for pod in pods]
    last = next((each for each in reversed(accounts) if each), None)
    well = before = min(size, int(last["well"])) if last else 0
    attempts = int(last["attempts"]) if last else 0
    if phase == "Succeeded":
        return Told({phase: size}, {}, attempts + size - before)
    if phase not in FAILED:
        progress = ((pod.get("progress") or "").split("/") for pod in pods)
        well = max([well, *(int(each[0]) for each in progress if each[1:] == [str(size)])])
        running = 1 if phase == "Running" and well < size else 0
        phases = {"Succeeded": well, "Running": running, "Pending": size - well - running}
        return Told(_some(phases), {}, attempts + well - before + running)
    if last is None or accounts[-1] is None:
        failed = {_next(last, items, well): reason}
        count = min(1, size - well)
        attempts += count
    else:
        reasons = {int(item): why for item, why in _REASON.findall(last.string[last.end() :])}
        failed = {item: reasons.get(item, "") for item in _listed(last["failed"] or "")}
        count = int(last["count"] or 0)
        if last["running"]:
            failed[int(last["running"])] = last.string[: last.start()].strip().removesuffix(":")
            count += 1
    return Told(_some({"Succeeded": well, phase: count, "Omitted": size - well - count}), failed, attempts)


def _next(last: re.Match[str] | None, items: range, well: int) -> int:
    """The item that a pod which has told nothing would have begun with, by what the one before told."""
    if last is not None and last["failed"]:
        return min(_listed(last["failed"]))
    if last is not None and last["running"]:
        return int(last["running"])
    return items[min(well, len(items) - 1)]


def _some(phases: Mapping[str, int]) -> dict[str, int]:
    return {phase: count for phase, count in phases.items() if count}


def _listed(text: str) -> Iterator[int]:
    for part in filter(None, re.split(r"[, ]+", text)):
        low, _, high = part.partition("-")
        yield from range(int(low), min(int(high or low), int(low) + MOST) + 1)
