"""Steps with a Python of their own."""

from __future__ import annotations

import json
import subprocess

import pytest
from harness import FLOWS, NETWORK, SECONDS, Mfhera, refused


def test_a_flow_in_an_environment_of_uv(own_mfhera: Mfhera) -> None:
    """Its steps import what only the environment has; a loop makes the environment once."""
    mfhera = own_mfhera  # its pods too reach a package index as this machine does
    mfhera.env.update(NETWORK)
    for file in (FLOWS / "uv_project").iterdir():
        mfhera.take(file)
    subprocess.run(["uv", "lock", "--quiet"], cwd=mfhera.folder, env=mfhera.env, check=True, timeout=SECONDS)
    mfhera.ok("create", "uv_flow.py", "--environment=uv")
    run = mfhera.run("--param", "number=19")
    tasks = mfhera.read(run["pathspec"])
    assert tasks["start"]["numeral"] == "'XIX'"
    assert tasks["start"]["prefix"].endswith("/.venv'")
    assert sum(key.startswith("turn:") for key in tasks) == 3
    logs = mfhera.python("uv_flow.py", "--environment=uv", "logs", f"{run['run_id']}/turn").stdout
    assert logs.count("Syncing uv project") == 1


def test_an_environment_that_cannot_be_made_fails_the_task_and_says_so(mfhera: Mfhera) -> None:
    for file in (FLOWS / "uv_project").iterdir():
        mfhera.take(file)
    (mfhera.folder / "uv.lock").write_text("this is no lock file")
    mfhera.ok("create", "uv_flow.py", "--environment=uv")
    done = mfhera("trigger", "--wait", "--json")
    (failure,) = json.loads(done.stdout)["steps"][0]["failures"]
    assert "The environment of the step could not be created" in failure["message"]


def test_a_flow_outside_of_a_project_is_refused_at_create(mfhera: Mfhera) -> None:
    mfhera.take("uv_project/uv_flow.py")
    done = mfhera("create", "uv_flow.py", "--environment=uv")
    *_, metaflows, ours = done.stderr.splitlines()
    assert "Bootstrapping uv" in metaflows  # what Metaflow says on the way is no part of the answer
    assert (done.returncode, done.stdout) == (2, "")
    assert ours.startswith("mfhera: ")
    assert "Could not find pyproject.toml in current directory or any parent directory" in ours


NEEDS_PACKAGES = """
from metaflow import FlowSpec, conda, pypi, step


class PackagesFlow(FlowSpec):
    @DECORATOR(packages={"regex": "2024.11.6"})
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    PackagesFlow()
"""


def with_packages(mfhera: Mfhera, decorator: str) -> None:
    """A flow with a step that has packages of its own."""
    (mfhera.folder / "packages_flow.py").write_text(NEEDS_PACKAGES.replace("DECORATOR", decorator))


@pytest.mark.parametrize("decorator", ["conda", "pypi"])
@pytest.mark.parametrize("environment", ["conda", "pypi"])
def test_packages_that_cannot_be_had_are_told_at_create(
    decorator: str, environment: str, mfhera: Mfhera
) -> None:
    """Metaflow resolves them when a flow is deployed: without a network it says what it could not get."""
    with_packages(mfhera, decorator)
    tools = mfhera.folder / "tools"
    tools.mkdir()
    (tools / "micromamba").write_text("#!/bin/sh\necho 'Could not resolve host: conda.example' >&2\nexit 1\n")
    (tools / "micromamba").chmod(0o755)
    env = {"METAFLOW_PATH_TO_MICROMAMBA": str(tools / "micromamba")}
    done = mfhera("create", "packages_flow.py", f"--environment={environment}", env=env)
    *_, ours = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert ours.startswith(f"mfhera: The code package could not be made with --environment={environment}: ")
    assert "Could not resolve host" in ours
    assert len(ours) < 500


@pytest.mark.parametrize("decorator", ["conda", "pypi"])
def test_packages_without_an_environment_are_refused(decorator: str, mfhera: Mfhera) -> None:
    with_packages(mfhera, decorator)
    refused(mfhera("create", "packages_flow.py"), f"@{decorator}", "--environment=conda")


@pytest.mark.parametrize("environment", ["fast-bakery", "unheard-of"])
def test_an_unknown_environment_is_refused_with_those_that_there_are(
    environment: str, mfhera: Mfhera
) -> None:
    """fast-bakery is that of an extension of Outerbounds."""
    mfhera.take("linear_flow.py")
    done = mfhera("create", "linear_flow.py", f"--environment={environment}")
    refused(done, "--environment", environment, "local", "conda", "pypi", "uv")
