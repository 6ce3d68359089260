"""Steps with a Python of their own."""

from __future__ import annotations

import json
import subprocess

from harness import FLOWS, NETWORK, SECONDS, Mfhera


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
