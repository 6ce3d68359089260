"""Random flows: the same tasks with the same artifacts as by `python flow.py run`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from generator import random_flow, shapes
from harness import Mfhera, Tasks, assert_same
from recorded_flows import Record


def test_a_random_flow_makes_the_same_as_by_metaflow_itself(
    mfhera: Mfhera, seed: int, record: Record, record_property: Callable[[str, object], None]
) -> None:
    flow, name = random_flow(seed), f"random {seed}"
    record_property("seed", seed)
    record_property("live", record.is_live(name, flow.script))
    record_property("shapes", sorted(shapes(flow)))
    # A folder for each way: both keep their data below it, under the same name.
    by_metaflow = mfhera.at(mfhera.folder / "by_metaflow")
    for way in (mfhera, by_metaflow):
        (way.folder / "flow.py").write_text(flow.script)
    where = f"Seed {seed}, {mfhera.folder / 'flow.py'}"

    def timed(what: str, do: Callable[..., Any], *arguments: Any) -> Any:
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
        tasks: Tasks = timed("read", mfhera.read, run["pathspec"])
        return tasks

    with ThreadPoolExecutor() as pool:
        ours = pool.submit(by_mfhera)
        theirs = timed("by Metaflow", record.by_metaflow, name, by_metaflow, "flow.py")
    record_property("tasks", len(theirs))
    assert_same(theirs, ours.result(), "by Metaflow", "by mfhera", where)
