"""The attempts at a task: those that Metaflow knows, and the pods that Argo has created for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from metaflow_hera.argo.pods import Pod
from metaflow_hera.metaflow_api.read.tasklogs import Begun

SKEW = timedelta(seconds=2)
"""By how much the clock of a pod on a cluster may be behind that of Argo's controller."""


@dataclass(frozen=True)
class Attempt:
    """An attempt at a task: its number in Metaflow, its pod if Argo has that, whether Metaflow knows it."""

    number: int
    pod: Pod | None
    begun: bool


def numbered(pods: Sequence[Pod], begun: Sequence[Begun], skew: timedelta = SKEW) -> Sequence[Attempt]:
    """The attempts at a task: those that Metaflow knows, and the pods in which it has not begun.

    Argo counts from 0 again when a run is retried, and Metaflow counts on: a pod's number is the one that
    the runtime gives it (runtime.pod), the larger of the two counts.
    """
    number_of = {at: each.number for each in begun if (at := pod_of(each, pods, skew)) is not None}
    known = set(number_of.values())
    found = [Attempt(each.number, None, True) for each in begun if each.number not in known]
    count = max((each.number + 1 for each in found), default=0)
    for argo_retries, pod in enumerate(pods):
        number = number_of.get(argo_retries, max(argo_retries, count))
        found.append(Attempt(number, pod, argo_retries in number_of))
        count = number + (argo_retries in number_of)
    return sorted(found, key=lambda each: each.number)


def pod_of(attempt: Begun, pods: Sequence[Pod], skew: timedelta) -> int | None:
    """The index in `pods` of the one that made an attempt; None if it is gone, and another has its name.

    `skew` is by how much the pods' clocks may be behind Argo's.
    """
    for at, pod in reversed(list(enumerate(pods))):
        if attempt.pod is None:
            fits = pod.started is not None and pod.started <= attempt.at
        else:
            fits = attempt.pod == pod.name and (pod.started is None or pod.started <= attempt.at + skew)
        if fits:
            return at
    return None
