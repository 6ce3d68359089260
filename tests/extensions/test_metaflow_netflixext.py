"""metaflow-netflixext: flows run beside it; its conda is refused. `nox -s extensions` installs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import assert_same, refused, run_by_metaflow
from places import local

pytest.importorskip("metaflow_extensions.netflixext", reason="needs metaflow-netflixext: nox -s extensions")
FLOW = Path(__file__).parent / "flows" / "conda_flow.py"


def test_a_flow_without_environments_runs_beside_it_as_in_metaflow(tmp_path: Path) -> None:
    with local(tmp_path) as mfhera:
        mfhera.take("mixed_flow.py")
        mfhera.ok("create", "mixed_flow.py")
        ours = mfhera.read(mfhera.run()["pathspec"])
        assert_same(run_by_metaflow(mfhera, "mixed_flow.py"), ours, "metaflow", "mfhera", "mixed_flow.py")


def test_its_conda_is_refused_at_create(tmp_path: Path) -> None:
    with local(tmp_path) as mfhera:
        mfhera.take(FLOW)
        refused(mfhera("create", "conda_flow.py"), "@conda", "--environment=conda")
        env = {"METAFLOW_DATASTORE_SYSROOT_LOCAL": str(mfhera.folder)}
        done = mfhera("create", "conda_flow.py", "--environment=conda", env=env)
        refused(done, "--environment=conda", "extension", "@conda_env_internal")
