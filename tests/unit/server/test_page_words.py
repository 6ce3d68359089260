"""`mfhera status`, a notebook and the page say the same of a run, in whatever state it is."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest
from exports import export
from twin import Twin

from metaflow_hera.argo import runs
from metaflow_hera.display.graphs import graph_svg
from metaflow_hera.display.views import state_of
from metaflow_hera.operations.exports import create_from

CHOICES = {"quick": ["work", "done"], "choose": ["one", "two", "many"]}
"""The steps of the flow `switch` that choose, and what they may choose."""
ITEMS = {("splits", "start"): "[0]", ("splits", "outer"): "[0]", ("splits", "middle"): '["0-2", "3-4"]'}
"""What a step of a flow lists, where that is not two items."""


def said(twin: Twin, run: str) -> list[tuple[str, int, str]]:
    """What all say of each step, which must be the same: its name, its depth, and its state in words."""
    found = runs.get(twin.client, run)
    steps = [(each.name, each.depth, state_of(each)) for each in found.steps]
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", graph_svg(found))
    assert sorted(zip(texts[::2], texts[1::2], strict=True)) == sorted(
        (name, words) for name, _, words in steps
    )
    page = twin.page(run.removeprefix("argo-"))
    assert [(each["label"], each["depth"], each["words"]) for each in page["groups"]] == steps
    assert page["run"]["id"] == run
    return steps


@pytest.mark.parametrize("flow", ["switch", "retry", "mixed", "splits"])
def test_at_each_moment_of_a_run(twin: Twin, flow: str) -> None:
    about = create_from(export(flow, **{"1m": "0s", "2m": "0s"}), twin.client, None)
    words: Counter[str] = Counter()
    for seed, failing in enumerate((0.0, 0.8)):
        chance = random.Random(seed)
        run = runs.start(twin.client, about, {}).run_id
        workflow = run.removeprefix("argo-")
        while waiting := twin.waiting_ids(workflow):
            pod, fails = chance.choice(waiting), chance.random() < failing
            if fails or chance.random() < 0.5:
                twin.begin(workflow, pod)
                words.update(state.split()[0] for _, _, state in said(twin, run))
            step = _step(twin, workflow, pod)
            items, chosen = ITEMS.get((flow, step), "[0, 1]"), chance.choice(CHOICES.get(step, [""]))
            twin.end(workflow, pod, exit_code=int(fails), items=items, next=chosen)
            twin.look()
            words.update(state.split()[0] for _, _, state in said(twin, run))
        assert runs.get(twin.client, run).ended
    assert {"Waiting", "Running", "Pending", "Failed", "Succeeded", "Not"} <= set(words)
    assert ("Skipped" in words) == (flow == "switch")


def test_a_run_with_all_of_it(twin: Twin) -> None:
    """Of a foreach one task runs, one waits and one failed; a branch is passed by; some steps never start."""
    run = runs.start(twin.client, create_from(export("switch"), twin.client, None), {}).run_id
    workflow = run.removeprefix("argo-")
    twin.end(workflow, "start")
    twin.end(workflow, "quick", next="done")
    twin.end(workflow, "each", items="[0, 1, 2]")
    first, second, _ = [pod for pod in twin.waiting_ids(workflow) if "choose" in _step(twin, workflow, pod)]
    twin.end(workflow, first, exit_code=1)
    twin.begin(workflow, second)
    told = {name: words for name, _, words in said(twin, run)}
    assert told["work"] == "Skipped"
    assert told["choose"] == "Failed 0/3, 1 running, 1 waiting, 1 failed"
    assert told["end"] == "Waiting"
    twin.call("PUT", f"workflows/default/{workflow}/terminate")
    twin.finish(workflow, exit_code=143)
    told = {name: words for name, _, words in said(twin, run)}
    assert told["work"] == "Skipped"
    assert (told["choose"], told["end"]) == ("Failed 0/3, 3 failed", "Not started")


def _step(twin: Twin, workflow: str, node: str) -> str:
    inputs = twin.stored_workflow(workflow)["status"]["nodes"][node]["inputs"]["parameters"]
    return next(str(each["value"]) for each in inputs if each["name"] == "step")
