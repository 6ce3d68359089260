"""A task that starts a run of a deployed flow: by Metaflow's Deployer, by this package, by the command."""

from __future__ import annotations

import os
import sys
from ast import literal_eval
from dataclasses import replace
from pathlib import Path

import pytest
from harness import Mfhera

FLOW = "starts_another_flow.py"


@pytest.fixture
def starting(own_mfhera: Mfhera) -> Mfhera:
    """The flow in its folder; pods find the command `mfhera`, and nobody tells them the home."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{own_mfhera.env['PATH']}"
    own_mfhera.env["PATH"] = path
    own_mfhera.take(FLOW)
    return own_mfhera


def child_of(mfhera: Mfhera, way: str) -> str:
    """Run the flow; returns the run that it has started."""
    return str(literal_eval(mfhera.read(mfhera.run("--param", f"way={way}")["pathspec"])["start"]["child"]))


def token_of(mfhera: Mfhera) -> tuple[str, str]:
    """The owner of the deployment and its production token."""
    [template] = mfhera.server.listed("workflow-templates")
    notes = template["metadata"]["annotations"]
    return notes["metaflow/owner"], notes["metaflow/production_token"]


def test_a_task_starts_a_run_in_each_way(starting: Mfhera) -> None:
    starting.ok("create", FLOW)
    owner, token = token_of(starting)
    children = [child_of(starting, way) for way in ("deployer", "command", "package")]
    for child in children:
        assert starting.end_of(child) == "Succeeded"
        # Its results are where those of the first run are, not in a pod's folder.
        assert starting.read(f"StartsAnotherFlow/{child}")["start"]["child"] == "None"
    # Two runs for each way, and what the last task has deployed is the pods' user's, as with Metaflow's own
    # plugin. Whoever has the token may deploy it again, as the user here.
    assert len(starting.phases("startsanotherflow")) == 2 * len(children)
    assert token_of(starting) == ("argo-workflows", token)
    starting.ok("create", FLOW)
    assert token_of(starting) == (owner, token)


def test_a_task_finds_the_argo_and_the_namespace_of_its_run(starting: Mfhera) -> None:
    starting.env.update(METAFLOW_HERA_COLD_PODS="1", ARGO_NAMESPACE="team")
    starting.ok("create", FLOW)
    child = child_of(starting, "deployer")
    team = replace(starting.server, namespace="team")
    names = {each["metadata"]["name"] for each in team.listed("workflows")}
    assert child.removeprefix("argo-") in names
