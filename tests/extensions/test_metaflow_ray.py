"""metaflow-ray: the nodes of a @metaflow_ray step are a cluster of Ray's. `nox -s extensions` installs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from harness import SECONDS, Mfhera, assert_same, refused
from places import in_s3, local

pytest.importorskip("metaflow_extensions.ray", reason="needs metaflow-ray: nox -s extensions")
FLOW = Path(__file__).parent / "flows" / "ray_flow.py"


def test_the_nodes_of_a_step_are_a_cluster_as_in_metaflow(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with in_s3(tmp_path) as mfhera:
        mfhera.take(FLOW)
        mfhera.ok("create", "ray_flow.py")
        ours = mfhera.read(mfhera.run()["pathspec"])
        # Ray runs the step on the first node alone.
        assert ours["join"]["squares"] == "[[0, 1, 4, 9, 16], None]"
        assert ours["join"]["ray_nodes"] == "2"
        run_by_metaflow(mfhera)
        theirs = mfhera.read(f"RayFlow/{(mfhera.folder / 'id').read_text()}")
        assert_same(theirs, ours, "metaflow", "mfhera", "ray_flow.py")


def run_by_metaflow(mfhera: Mfhera) -> None:
    """Metaflow's own `run`, with an end of the processes of Ray that it leaves behind."""
    command = [sys.executable, "ray_flow.py", "run", "--run-id-file", "id"]
    with subprocess.Popen(command, cwd=mfhera.folder, env=mfhera.env, start_new_session=True) as process:
        try:
            assert process.wait(SECONDS) == 0
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_without_a_datastore_in_a_cloud_it_is_refused_at_create(tmp_path: Path) -> None:
    with local(tmp_path) as mfhera:
        mfhera.take(FLOW)
        refused(mfhera("create", "ray_flow.py"), "@metaflow_ray of step compute", "--datastore=s3")
