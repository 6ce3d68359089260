"""@parallel: pods that run at the same time and find each other."""

from __future__ import annotations

import json

from harness import Mfhera
from recorded_flows import Record


def test_the_nodes_of_a_parallel_step_meet_and_join_as_in_metaflow(mfhera: Mfhera, record: Record) -> None:
    mfhera.take("parallel_flow.py")
    mfhera.ok("create", "parallel_flow.py")
    ours = mfhera.read(mfhera.run()["pathspec"])
    theirs = record.by_metaflow("parallel_flow.py", mfhera, "parallel_flow.py", differs=True)
    assert (
        ours["end"]["ranks"] == "[[(0, 3, [1, 2]), (1, 3, 'go'), (2, 3, 'go')], [(0, 2, [1]), (1, 2, 'go')]]"
    )
    assert sorted(ours) == sorted(theirs)
    assert ours["end"]["ranks"] == theirs["end"]["ranks"]


def test_a_parallel_step_runs_where_there_is_room_for_one_pod(own_mfhera: Mfhera) -> None:
    own_mfhera.env["METAFLOW_HERA_MAX_PODS"] = "1"
    own_mfhera.take("parallel_flow.py")
    own_mfhera.ok("create", "parallel_flow.py", "--max-workers", "1")
    assert own_mfhera.run()["state"] == "Succeeded"


def test_with_one_node_the_whole_parallel_step_fails(mfhera: Mfhera) -> None:
    mfhera.take("broken_parallel_flow.py")
    mfhera.ok("create", "broken_parallel_flow.py")
    done = mfhera("trigger", "--param", f"place={mfhera.folder}", "--wait", "--json")
    run = json.loads(done.stdout)
    assert (done.returncode, run["state"]) == (1, "Failed")
    assert {task["path"]: task["message"] for task in run["steps"][1]["failures"]} == {
        "-0": "main: Error (exit code 143): Node 2 of the @parallel step train failed.",
        "-1": "main: Error (exit code 143): Node 0 of the @parallel step train failed.",
        "-2": "main: Error (exit code 1): ValueError: no more of this",
    }
    logs = mfhera.python("broken_parallel_flow.py", "logs", f"{run['run_id']}/train")
    assert all(f"node {node}" in logs.stdout for node in range(3))
