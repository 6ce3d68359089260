"""Random flows: the same tasks with the same artifacts as by `python flow.py run`."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from difflib import unified_diff
from typing import Any

from generator import random_flow, shapes
from harness import DEPENDS_ON_HOW_IT_RUNS, Mfhera, run_by_metaflow

Tasks = dict[str, dict[str, Any]]


def test_a_random_flow_makes_the_same_as_by_metaflow_itself(
    mfhera: Mfhera, seed: int, record_property: Callable[[str, object], None]
) -> None:
    flow = random_flow(seed)
    record_property("seed", seed)
    record_property("shapes", sorted(shapes(flow)))
    # A folder for each way: both keep their data below it, under the same name.
    by_metaflow = mfhera.at(mfhera.folder / "by_metaflow")
    for way in (mfhera, by_metaflow):
        (way.folder / "flow.py").write_text(flow.script)
    where = f"Seed {seed}, {mfhera.folder / 'flow.py'}"

    def timed(what: str, do: Callable[..., Any], *arguments: str) -> Any:
        begin = time.monotonic()
        try:
            return do(*arguments)
        except AssertionError as error:
            raise AssertionError(f"{where}: {error}") from error
        finally:
            record_property(what, time.monotonic() - begin)

    with ThreadPoolExecutor() as pool:
        running = pool.submit(timed, "by Metaflow", run_by_metaflow, by_metaflow, "flow.py")
        timed("create", mfhera.ok, "create", "flow.py")
        run = timed("trigger", mfhera.run)
        ours, theirs = mfhera.read(run["pathspec"]), running.result()
    record_property("tasks", len(theirs))
    difference = "\n".join(
        unified_diff(as_lines(theirs), as_lines(ours), "by Metaflow", "by mfhera", lineterm="", n=0)
    )
    assert not difference, f"{where}:\n{difference}"


def as_lines(tasks: Tasks) -> list[str]:
    """What a run made, a line for each artifact."""
    return [
        f"{key} {name} = {value}"
        for key, task in sorted(tasks.items())
        for name, value in sorted(task.items())
        if name not in DEPENDS_ON_HOW_IT_RUNS
    ]
