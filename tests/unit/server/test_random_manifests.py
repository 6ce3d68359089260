"""Whatever is sent to the embedded Argo is refused in words or runs, and what runs can be ended."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress

import pytest
from random_manifests import Manifests
from twin import Twin

MANIFESTS, PARTS = 2_000, 8
OUTPUTS = ("1", "[1,2]", "x", "{{workflow.name}}", "")
ROUNDS = 4
"""How often the pods that wait are let go, before a workflow is ended."""


@pytest.mark.parametrize("part", range(PARTS))
def test_any_manifest_is_refused_or_can_be_ended(part: int, twin: Twin) -> None:
    phases: Counter[str] = Counter()
    for number in range(part, MANIFESTS, PARTS):
        answer = twin.raw("POST", "workflows/default", {"workflow": Manifests(number).workflow()})
        if answer.status_code != 200:
            assert answer.status_code in (400, 501), (number, answer.text)
            assert answer.json()["message"], number
            phases["refused"] += 1
            continue
        name = answer.json()["metadata"]["name"]
        play(twin, name, random.Random(number))
        phases[twin.workflow(name)["status"]["phase"]] += 1
        twin.call("DELETE", f"workflows/default/{name}")
    assert phases["refused"] < sum(phases.values()) / 2
    assert min(phases[phase] for phase in ("Succeeded", "Failed", "Error")) > 0


def play(twin: Twin, name: str, some: random.Random) -> None:
    """Let the pods of a workflow end in some way, then terminate it: it has ended."""
    for _ in range(ROUNDS):
        for pod in twin.waiting_ids(name):
            if is_over(twin, name):
                return
            outputs = {"o": some.choice(OUTPUTS)} if some.random() < 0.8 else {}
            with suppress(KeyError):  # its workflow was quicker than this test
                if some.random() < 0.5:
                    twin.begin(name, pod)
                if some.random() < 0.9:
                    twin.end(name, pod, exit_code=some.choice((0, 0, 0, 1, None)), **outputs)
        verb = some.choice(("", "", "", "suspend", "resume", "stop"))
        if verb and not is_over(twin, name):
            assert twin.raw("PUT", f"workflows/default/{name}/{verb}", {}).status_code in (200, 400, 500)
    if not is_over(twin, name):
        assert twin.raw("PUT", f"workflows/default/{name}/terminate", {}).status_code in (200, 500)
        for pod in twin.waiting_ids(name):
            with suppress(KeyError):
                twin.end(name, pod, exit_code=143)
    assert is_over(twin, name), (name, twin.workflow(name)["status"])


def is_over(twin: Twin, name: str) -> bool:
    """Whether a workflow has ended."""
    return bool(twin.stored_workflow(name)["status"].get("finishedAt"))
