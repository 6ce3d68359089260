"""Pods whose image has another Python than the machine that deploys."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from harness import NETWORK, SECONDS, Mfhera, assert_same
from other_pythons import VERSIONS, interpreter


@pytest.mark.embedded_only("pods with an interpreter of this machine")
@pytest.mark.parametrize("version", VERSIONS, ids="{0[0]}.{0[1]}".format)
def test_pods_run_with_another_python(version: tuple[int, int], mfhera: Mfhera) -> None:
    """As with an image: the manifest names another interpreter, which has only what Metaflow needs."""
    other = interpreter(version)
    if other is None:
        pytest.skip("it runs the tests" if version == sys.version_info[:2] else "not on this machine")
    image = like_an_image(other, mfhera.folder.parent / "image", mfhera.env)
    mfhera.take("python_flow.py")
    mfhera.ok("create", "python_flow.py", "--splits-per-pod", "2")
    theirs = mfhera.read(mfhera.run()["pathspec"])
    template = mfhera.ask("workflow-templates", "pythonflow")
    pods = [each["container"] for each in template["spec"]["templates"] if "container" in each]
    for pod in pods:
        assert pod["command"] == [sys.executable]
        pod["command"] = [image]
    mfhera.server.call("PUT", "workflow-templates", "pythonflow", json={"template": template})
    ours = mfhera.read(mfhera.run()["pathspec"])
    for run, python in ((ours, version), (theirs, sys.version_info[:2])):
        assert {run[task].pop("python") for task in ("start", "work/0", "work/1", "work/2")} == {repr(python)}
    for run in (ours, theirs):
        assert "caught" in run["end"].pop("problem")  # a traceback, in each version's own form
    assert_same(theirs, ours, "this Python", other, "python_flow.py")


def like_an_image(python: str, folder: Path, env: dict[str, str]) -> str:
    """An environment of an interpreter with the one package that Metaflow needs."""
    reaching = {**env, **NETWORK}
    for command in (["venv", "--python", python, folder], ["pip", "install", "--python", folder, "requests"]):
        subprocess.run(
            [sys.executable, "-m", "uv", *map(str, command), "--quiet"],
            env=reaching,
            check=True,
            timeout=SECONDS,
        )
    return str(folder / "bin" / "python")
