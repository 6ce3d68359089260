"""docs/cluster.md: its commands are commands, its variables are read, and its table is true."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from harness import TESTS
from metaflow import metaflow_config

from metaflow_hera.argo import target
from metaflow_hera.argo.permissions import OF_DEPLOYERS
from metaflow_hera.choices.variables import OF_ARGO
from metaflow_hera.cli.main import mfhera
from metaflow_hera.translation import metrics

TEXT = (TESTS.parent / "docs" / "cluster.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", TEXT, re.S)
LINES = [line.split(" #")[0] for block in BLOCKS for line in block.splitlines()]
COMMANDS = [part.strip() for line in LINES for part in line.split("|") if part.strip().startswith("mfhera ")]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_one(command: str) -> None:
    _, verb, *words = shlex.split(command)
    found = mfhera.get_command(click.Context(mfhera), verb)
    assert found is not None
    found.make_context(verb, words, resilient_parsing=False)


def test_there_is_a_command_for_each_file_of_deploy() -> None:
    printed = set(re.findall(r"--print (\w+)", "\n".join(COMMANDS)))
    assert printed == {"rbac", "storage", "events", "image"}


def test_its_commands_can_be_run_one_after_the_other() -> None:
    """As tests/cluster/run does on a real cluster: nothing is left for a reader to fill in."""
    steps = [sys.executable, str(TESTS / "cluster" / "steps.py"), "3.6.19"]
    script = subprocess.run(steps, check=True, capture_output=True, text=True).stdout
    subprocess.run(["bash", "-n"], input=script, check=True, text=True)
    assert "download/v3.6.19/" in script
    assert re.search(r"\.\.\.|(?<![\w$])[A-Z][A-Z-]+(?![\w=])", script) is None
    assert re.findall(r"--print (\w+)", script) == ["rbac", "storage", "image"]
    assert script.index("doctor --probe") < script.index("mfhera create") < script.index("mfhera logs")


def test_the_variables_are_read() -> None:
    metaflows = set(re.findall(r"\bMETAFLOW_(\w+)", TEXT))
    assert metaflows
    assert [name for name in metaflows if not hasattr(metaflow_config, name)] == []


def test_the_variables_of_argo_are_those_that_are_read_and_that_doctor_shows() -> None:
    read = set(re.findall(r'"(ARGO_\w+)"', Path(target.__file__).read_text(encoding="utf-8")))
    assert read == {each.name for each in OF_ARGO}
    assert set(re.findall(r"(?<!_)\bARGO_\w+", TEXT)) <= read


def test_the_table_of_permissions() -> None:
    rows = re.findall(r"^\| `([\w/]+)` \| `(\w+)` \| (.*) \|$", TEXT, re.M)
    assert rows == [(each.resource, each.verb, ", ".join(each.needed_by)) for each in OF_DEPLOYERS]


def test_the_metrics() -> None:
    rows = dict(re.findall(r"^\| `argo_workflows_(\w+)` \| (\w+) \|", TEXT, re.M))
    assert rows == {name: "counter" if name.endswith("_total") else "histogram" for name in metrics.HELP}
    queries = "".join(re.findall(r"```promql\n(.*?)```", TEXT, re.S))
    asked = re.findall(r"argo_workflows_(metaflow_\w+)", queries)
    assert len(asked) == 2
    assert {name.removesuffix("_bucket") for name in asked} <= set(metrics.HELP)
    *bounds, last = metrics.BUCKETS
    assert f"the bounds {', '.join(map(str, bounds))} and {last} seconds" in " ".join(TEXT.split())
