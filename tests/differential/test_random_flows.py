"""Random flows: the same tasks with the same artifacts as by `python flow.py run`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from difflib import unified_diff
from typing import Any

import pytest
from generator import random_flow, shapes
from harness import Mfhera, run_by_metaflow
from random_flows import is_live
from recorded_flows import Tasks, line, recorded


def test_a_random_flow_makes_the_same_as_by_metaflow_itself(
    mfhera: Mfhera, seed: int, pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> None:
    flow = random_flow(seed)
    known = recorded(seed, flow.script)
    live = known is None or is_live(pytestconfig, seed)
    record_property("seed", seed)
    record_property("live", live)
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

    def by_mfhera() -> Tasks:
        timed("create", mfhera.ok, "create", "flow.py")
        run = json.loads(timed("trigger", mfhera.ok, "trigger", "--json"))
        phase = timed("run", mfhera.end_of, run["run_id"])
        assert phase == "Succeeded", f"{where}: {mfhera('status', run['run_id']).stdout}"
        return line(seed, flow.script, timed("read", mfhera.read, run["pathspec"]))["tasks"]

    with ThreadPoolExecutor() as pool:
        ours = pool.submit(by_mfhera)
        if live:
            now = line(seed, flow.script, timed("by Metaflow", run_by_metaflow, by_metaflow, "flow.py"))
            record_property("line", now)
        theirs = now["tasks"] if live else known
    record_property("tasks", len(theirs))
    assert_same(theirs, ours.result(), "by Metaflow", "by mfhera", where)
    if live and known is not None and not pytestconfig.getoption("record"):
        assert_same(known, theirs, "recorded", "by Metaflow", where)


def assert_same(expected: Tasks, found: Tasks, first: str, second: str, where: str) -> None:
    """Demand the same tasks with the same artifacts, and show those that differ."""
    difference = "\n".join(unified_diff(as_lines(expected), as_lines(found), first, second, lineterm="", n=0))
    assert not difference, f"{where}:\n{difference}"


def as_lines(tasks: Tasks) -> list[str]:
    """What a run made, a line for each artifact."""
    return [
        f"{key} {name} = {value}"
        for key, task in sorted(tasks.items())
        for name, value in sorted(task.items())
    ]
