"""Which attempt each pod of a task made, by what Metaflow has noted of them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from metaflow_hera.argo.pods import Pod
from metaflow_hera.metaflow_api.read.tasklogs import Begun
from metaflow_hera.operations.attempt_numbers import numbered

START = datetime(2026, 11, 25, 8, tzinfo=timezone.utc)


def pod(number: int, second: int) -> Pod:
    return Pod(f"p{number}", START + timedelta(seconds=second), ended=True)


def begun(number: int, second: float, by: int | None) -> Begun:
    return Begun(number, START + timedelta(seconds=second), None if by is None else f"p{by}")


@pytest.mark.parametrize(
    ("pods", "known", "expected"),
    [
        ([], [], []),
        ([pod(0, 0), pod(1, 1)], [], [(0, 0, False), (1, 1, False)]),
        # Both in one second, and only the names tell them apart.
        ([pod(0, 0), pod(1, 0)], [begun(0, 0.5, 0), begun(1, 0.9, 1)], [(0, 0, True), (1, 1, True)]),
        # As an older version noted them.
        ([pod(0, 0), pod(1, 5)], [begun(0, 1, None), begun(1, 6, None)], [(0, 0, True), (1, 1, True)]),
        # The first pod ended before Metaflow began.
        ([pod(0, 0), pod(1, 5)], [begun(1, 6, 1)], [(0, 0, False), (1, 1, True)]),
        # The pod's clock is a little behind that of Argo's controller, which names the time of its start.
        ([pod(0, 10)], [begun(0, 9, 0)], [(0, 0, True)]),
        # The run was retried: pods have the names of those before, and begin where Metaflow has ended.
        (
            [pod(0, 60)],
            [begun(0, 1, 0), begun(1, 6, 1)],
            [(0, None, True), (1, None, True), (2, 0, False)],
        ),
        (
            [pod(0, 60), pod(1, 70)],
            [begun(0, 1, 0), begun(1, 6, 1), begun(2, 71, 1)],
            [(0, None, True), (1, None, True), (2, 0, False), (2, 1, True)],
        ),
    ],
)
def test_pods_have_the_numbers_that_the_runtime_gives_them(
    pods: list[Pod], known: list[Begun], expected: list[tuple[int, int | None, bool]]
) -> None:
    found = [
        (each.number, None if each.pod is None else int(each.pod.name[1:]), each.begun)
        for each in numbered(pods, known)
    ]
    assert found == expected
