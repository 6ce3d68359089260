"""Tasks in pods that are forked find what they find in pods that are started."""

from __future__ import annotations

import sys
import tarfile
import uuid
from contextlib import suppress
from pathlib import Path

import pytest
from harness import Mfhera, assert_same

from metaflow_hera.contract.manifest import CODE_PARAMETER
from metaflow_hera.contract.own_lines import STARTS_ANEW

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every pod is started")


def logs(mfhera: Mfhera) -> list[str]:
    """What the pods on a server have printed."""
    return [path.read_text() for path in (mfhera.home / "argo" / "pods").rglob("*.logs")]


def warm_processes(home: Path) -> set[str]:
    """The processes from which a server with its state below a folder has pods forked, if it starts cold."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_one = b"A process from which pods are forked" in (process / "cmdline").read_bytes()
            if is_one and str(home).encode() in (process / "environ").read_bytes():
                found.add(process.name)
    return found


def test_a_task_finds_the_same_around_it(own_mfhera: Mfhera) -> None:
    other = own_mfhera.at(own_mfhera.home / "other")
    for mfhera, flow in ((other, "linear_flow.py"), (own_mfhera, "surroundings_flow.py")):
        mfhera.take(flow)
        mfhera.ok("create", flow)
    # None of these is a module.
    (own_mfhera.folder / "http").mkdir()
    (own_mfhera.folder / "http" / "mine.py").touch()
    (own_mfhera.folder / "logging.ini.py").touch()
    own_mfhera.ok("create", "surroundings_flow.py")
    found = {}
    # The keeper of a server that starts cold is its users': those of the tests start warm, see warm.py.
    for name, first, mfhera in (
        ("forked by the tests' keeper", other, own_mfhera),
        ("forked", other.cold, own_mfhera.cold),
    ):
        first.run()  # from whose process the pods are forked
        before = warm_processes(own_mfhera.home)
        found[name] = mfhera.read(mfhera.run()["pathspec"])
        assert warm_processes(own_mfhera.home) == before
        mfhera.stop()
    assert len(before) == 1
    assert not any(STARTS_ANEW in log for log in logs(own_mfhera))
    own_mfhera.env["METAFLOW_HERA_COLD_PODS"] = "1"
    started = own_mfhera.read(own_mfhera.run()["pathspec"])
    for name, forked in found.items():
        assert_same(started, forked, "started", name, "surroundings_flow.py")
        assert forked["start"]["spawned"] == forked["start"]["forked"] == "[1, 4, 9]"
        assert forked["end"]["changed"] == "None"
    assert started["start"]["root"] == "True"
    assert "metaflow_config.DATASTORE_SYSROOT_LOCAL" in started["start"]["places"]


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
    told = f"uuid.py stands for a module that Metaflow imports. {STARTS_ANEW}"
    assert [told in log for log in logs(own_mfhera)] == [True] * 3


def test_what_was_imported_of_another_package_is_not_used(own_mfhera: Mfhera) -> None:
    """A retry, or whoever submits a template, can give a run another package. Here the home is a link."""
    real, link = own_mfhera.home / "argo", own_mfhera.home / "link"
    real.mkdir(parents=True, exist_ok=True)
    link.symlink_to(real)
    own_mfhera.env["METAFLOW_HERA_HOME"] = str(link)
    own_mfhera.take("linear_flow.py")
    own_mfhera.ok("create", "linear_flow.py")
    own_mfhera.run()
    template = own_mfhera.ask("workflow-templates", "linearflow")
    given = {each["name"]: each["value"] for each in template["spec"]["arguments"]["parameters"]}
    packed, unpacked = Path(given[CODE_PARAMETER]), own_mfhera.home / "package"
    with tarfile.open(packed) as tar:
        tar.extractall(unpacked)
    with (unpacked / ".mf_code" / "metaflow" / "task.py").open("a") as module:
        module.write("\nprint('of another package')\n")
    other = packed.with_name("other")
    with tarfile.open(other, "w:gz") as tar:
        tar.add(unpacked, "")
    order = {
        "resourceKind": "WorkflowTemplate",
        "resourceName": "linearflow",
        "submitOptions": {"parameters": [f"{CODE_PARAMETER}={other}"]},
    }
    started = own_mfhera.server.call("POST", "workflows", "submit", json=order).json()
    assert own_mfhera.end_of(started["metadata"]["name"]) == "Succeeded"
    reason = f"The code package has other modules than those imported. {STARTS_ANEW}"
    told = [log for log in logs(own_mfhera) if reason in log]
    assert ["of another package" in log for log in told] == [True] * 3
    (about,) = (own_mfhera.home / "argo" / "cache").glob("code-*[!r]/.mf_meta/INFO")
    about.write_text(about.read_text().replace('"metaflow_version": "', '"metaflow_version": "0.'))
    own_mfhera.run()
    reason = f"The code package was made by another version, or with other extensions. {STARTS_ANEW}"
    assert sum(reason in log for log in logs(own_mfhera)) == 3


@pytest.mark.parametrize("cold", [False, True], ids=["forked", "started"])
def test_unix_sockets_work_wherever_the_home_is(own_mfhera: Mfhera, tmp_path: Path, cold: bool) -> None:
    own_mfhera.env["METAFLOW_HERA_HOME"] = str(tmp_path / ("long" * 20))
    if cold:
        own_mfhera.env["METAFLOW_HERA_COLD_PODS"] = "1"
    own_mfhera.take("unix_sockets_flow.py")
    own_mfhera.ok("create", "unix_sockets_flow.py")
    own_mfhera.run()
