"""The generator of random flows: legal, the same each time, and of all shapes."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path

import pytest
from generator import MOST_STEPS, MOST_TASKS, random_flow, shapes
from metaflow.lint import linter

SEEDS = 300
SHAPES = [
    "chosen by two switches",
    "foreach in branch",
    "foreach in choice",
    "foreach in foreach",
    "join after join",
    "loop first in foreach",
    "loop first in split",
    "loop in branch",
    "loop in choice",
    "loop in foreach",
    "loop straight to a merge",
    "loop straight to end",
    "loop straight to foreach",
    "loop straight to loop",
    "loop straight to switch",
    "several last steps of a foreach",
    "several last steps of a split",
    "split in branch",
    "split in choice",
    "split in foreach",
    "split in three",
    "switch first in foreach",
    "switch first in split",
    "switch in branch",
    "switch in choice",
    "switch in foreach",
    "switch straight to a merge",
    "switch straight to end",
    "switch straight to foreach",
    "switch straight to loop",
    "switch straight to split",
    "switch straight to switch",
    "two cases, one step",
    "two foreachs, one body",
    "two splits, the same branches",
]


@pytest.mark.parametrize("hundred", range(SEEDS // 100))
def test_metaflows_lint_takes_all_flows(tmp_path: Path, hundred: int) -> None:
    for seed in range(100 * hundred, 100 * hundred + 100):
        flow = random_flow(seed)
        file = tmp_path / f"random_{seed}_flow.py"
        file.write_text(flow.script)
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[file.stem] = module  # where Metaflow looks for the source of the steps
        spec.loader.exec_module(module)
        # This is what `python flow.py check` does.
        linter.run_checks(getattr(module, flow.name)._graph)
        del sys.modules[file.stem]


def test_flows_are_small_and_of_all_shapes() -> None:
    flows = [random_flow(seed) for seed in range(SEEDS)]
    assert max(len(flow.steps) for flow in flows) <= MOST_STEPS
    assert max(flow.tasks for flow in flows) <= MOST_TASKS
    counts = Counter(shape for flow in flows for shape in shapes(flow))
    assert {shape: counts[shape] for shape in SHAPES if counts[shape] < 3} == {}


def test_a_number_always_gives_the_same_flow() -> None:
    assert random_flow(7) == random_flow(7)
    assert random_flow(7).script != random_flow(8).script
