"""Tasks in pods that are forked find what they find in pods that are started."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import pytest
from harness import Mfhera, assert_same

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every pod is started")


def test_a_task_finds_the_same_around_it(own_mfhera: Mfhera) -> None:
    own_mfhera.take("surroundings_flow.py")
    own_mfhera.ok("create", "surroundings_flow.py")
    found = {}
    # The keeper of a server that starts cold is its users': those of the tests start warm, see warm.py.
    for name, mfhera in (("forked by the tests' keeper", own_mfhera), ("forked", own_mfhera.cold)):
        found[name] = mfhera.read(mfhera.run()["pathspec"])
        mfhera.stop()
    own_mfhera.env["METAFLOW_HERA_COLD_PODS"] = "1"
    started = own_mfhera.read(own_mfhera.run()["pathspec"])
    for name, forked in found.items():
        assert_same(started, forked, "started", name, "surroundings_flow.py")
        assert forked["start"]["spawned"] == forked["start"]["forked"] == "[1, 4, 9]"
        assert forked["end"]["changed"] == "None"


def test_a_module_of_the_flow_that_metaflow_imports_is_still_the_flows(own_mfhera: Mfhera) -> None:
    """As under `python flow.py run`: the folder of the script comes first."""
    own_mfhera.take("linear_flow.py")
    (own_mfhera.folder / "uuid.py").write_text(Path(uuid.__file__).read_text() + "MINE = True\n")
    script = own_mfhera.folder / "linear_flow.py"
    text = script.read_text().replace("class ", "import uuid\n\n\nclass ", 1)
    first = "def start(self):"
    script.write_text(text.replace(first, f"{first}\n        self.mine = hasattr(uuid, 'MINE')", 1))
    own_mfhera = own_mfhera.cold  # the tests' keeper has imported more than Metaflow does
    own_mfhera.ok("create", "linear_flow.py")
    assert own_mfhera.read(own_mfhera.run()["pathspec"])["start"]["mine"] == "True"
    assert "uuid.py stands for" in (own_mfhera.home / "argo" / "keeper.log").read_text()


@pytest.mark.parametrize("cold", [False, True], ids=["forked", "started"])
def test_unix_sockets_work_wherever_the_home_is(own_mfhera: Mfhera, tmp_path: Path, cold: bool) -> None:
    own_mfhera.env["METAFLOW_HERA_HOME"] = str(tmp_path / ("long" * 20))
    if cold:
        own_mfhera.env["METAFLOW_HERA_COLD_PODS"] = "1"
    own_mfhera.take("unix_sockets_flow.py")
    own_mfhera.ok("create", "unix_sockets_flow.py")
    own_mfhera.run()
