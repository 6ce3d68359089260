"""metaflow-torchrun: the nodes of a @torchrun step compute together. `nox -s extensions` installs it.

Version 0.2.2 fails by itself in `python flow.py run` (it has no `input_paths`), so there is nothing
to compare with.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import refused
from places import in_s3, local

pytest.importorskip("metaflow_extensions.torchrun", reason="needs metaflow-torchrun: nox -s extensions")
FLOWS = Path(__file__).parent / "flows"


def test_the_nodes_of_a_torchrun_step_compute_together(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with in_s3(tmp_path) as mfhera:
        mfhera.take(FLOWS / "torch_flow.py", FLOWS / "torch_script.py")
        mfhera.ok("create", "torch_flow.py")
        run = mfhera.run()
        tasks = mfhera.read(run["pathspec"])
        assert tasks["join"]["sums"] == "['3 of 2', '3 of 2']"
        assert [tasks[f"train/{node}"]["nodes"] for node in range(2)] == ["2", "2"]
        logs = mfhera.ok("logs", run["run_id"], "train")
        assert all(f"rank {node} has the sum" in logs for node in range(2))


def test_without_a_datastore_in_a_cloud_it_is_refused_at_create(tmp_path: Path) -> None:
    with local(tmp_path) as mfhera:
        mfhera.take(FLOWS / "torch_flow.py")
        refused(mfhera("create", "torch_flow.py"), "@torchrun of step train", "--datastore=s3")
