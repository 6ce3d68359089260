"""An option is one entry: what a made-up one needs, added in a copy of the package."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from harness import TESTS, Mfhera

ENTRY = """
    made_up: int | None = option(
        None,
        "A made-up option.",
        metavar="N",
        check=checks.at_least(3),
        read=int,
        field="spec.parallelism",
    )
"""
LOOKING = """
import inspect, json, runpy, sys
import metaflow_hera
from metaflow import Deployer
shown = {
    "deploy": str(inspect.signature(metaflow_hera.deploy).parameters["made_up"]),
    "translate": str(inspect.signature(metaflow_hera.translate).parameters["made_up"]),
    "translated": metaflow_hera.translate("linear_flow.py", made_up=8).parallelism,
    "Deployer": Deployer("linear_flow.py").hera().create.__doc__,
    "docs": runpy.run_path(sys.argv[1])["tables"]()["create"],
}
print("FOUND" + json.dumps(shown))
"""


@pytest.fixture
def changed(mfhera: Mfhera, tmp_path: Path) -> Mfhera:
    """`mfhera` of a copy of the package that has one entry more."""
    package = tmp_path / "changed" / "metaflow_hera"
    shutil.copytree(TESTS.parent / "metaflow_hera", package, ignore=shutil.ignore_patterns("__pycache__"))
    table = package / "choices" / "deployment.py"
    before, end, after = table.read_text(encoding="utf-8").partition("\n    def __post_init__")
    table.write_text(before + ENTRY + end + after, encoding="utf-8")
    mfhera.take("linear_flow.py")
    return Mfhera(mfhera.home, mfhera.folder, {**mfhera.env, "PYTHONPATH": str(package.parent)})


def test_it_is_everywhere(changed: Mfhera) -> None:
    words = "A made-up option."
    for verb in ("create", "lint"):
        shown = changed.ok(verb, "--help")
        assert any(line.split() == ["--made-up", "N", *words.split()] for line in shown.splitlines())
    done = changed.python("linear_flow.py", "hera", "create", "--help")
    assert words in done.stdout, done.stderr
    manifest = json.loads(changed.ok("create", "linear_flow.py", "--only-json", "--made-up", "7"))
    assert manifest["spec"]["parallelism"] == 7
    setting = {"METAFLOW_HERA_MADE_UP": "6"}
    done = changed.python("linear_flow.py", "hera", "create", "--only-json", env=setting)
    assert json.loads(done.stdout)["spec"]["parallelism"] == 6
    done = changed("create", "linear_flow.py", "--only-json", "--made-up", "2")
    assert done.returncode == 2
    assert "--made-up 2 is not valid: give 3 or more." in done.stderr


def test_python_has_it_too(changed: Mfhera) -> None:
    done = changed.python("-c", LOOKING, str(TESTS.parent / "scripts" / "reference.py"))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.partition("FOUND")[2])
    assert found["deploy"] == found["translate"] == "made_up: int | None = None"
    assert found["translated"] == 8
    assert "made_up : int, optional, default None\n            A made-up option." in found["Deployer"]
    row = ["`--made-up`", "`made_up`", "`int`", "-", "`METAFLOW_HERA_MADE_UP`", "`spec.parallelism`"]
    assert f"| {' | '.join(row)} | A made-up option. |" in found["docs"].splitlines()
