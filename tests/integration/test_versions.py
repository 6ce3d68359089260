"""Versions of a deployment from the command line: which run came from which, and going back."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from harness import Mfhera, message, refused

FLOW = """
from metaflow import FlowSpec, Parameter, schedule, step

@schedule(cron="0 {hour} * * *")
class PricesFlow(FlowSpec):
    alpha = Parameter("alpha", default={default})

    @step
    def start(self):
        self.found = {found!r}
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    PricesFlow()
"""
CLIENT = """
import json
from metaflow import Flow, namespace
namespace(None)
found = {}
for run in Flow("PricesFlow"):
    (version,) = [tag for tag in run.tags if tag.startswith("version:")]
    found[run.id] = [version, run["start"].task.data.found, run["start"].task.data.alpha]
print(json.dumps(found))
"""
GIT = ("git", "-c", "user.name=tester", "-c", "user.email=tester@example.com")


def write(folder: Path, found: str, hour: int = 6, default: float = 0.5) -> None:
    (folder / "prices.py").write_text(FLOW.format(hour=hour, default=default, found=found))


def test_a_version_becomes_live_again(own_mfhera: Mfhera) -> None:
    mfhera, folder = own_mfhera, own_mfhera.folder
    write(folder, "one")
    subprocess.run(["git", "init", "--quiet", "--initial-branch", "work"], cwd=folder, check=True)
    subprocess.run(["git", "add", "prices.py"], cwd=folder, check=True)
    subprocess.run([*GIT, "commit", "--quiet", "-m", "first"], cwd=folder, check=True)
    assert "version 1." in mfhera.ok("create", "prices.py")
    write(folder, "two", hour=7, default=0.75)
    said = mfhera.json("create", "prices.py", "--message", "prices of two", "--json")
    assert said["version"] == 2
    second = mfhera.run()
    assert second["version"] == 2

    # What would change, and nothing has changed.
    dry = mfhera.json("rollback", "--dry-run", "--json")
    changes = [["replace", "WorkflowTemplate", "pricesflow"], ["replace", "CronWorkflow", "pricesflow"]]
    assert [list(change.values()) for change in dry["changes"]] == changes
    (default,) = dry["difference"]["parameters"]
    assert [list(each.values()) for each in default["fields"]] == [["default", "0.75", "0.5"]]
    lines = mfhera.ok("rollback", "--dry-run").splitlines()
    assert [line for line in lines if line.startswith(("-", "+")) and "found" in line] == [
        *("-        self.found = 'two'", "+        self.found = 'one'"),
    ]
    done = mfhera("diff", "prices.py", "--version", "1", "--name-only")
    assert (done.returncode, "prices.py" in done.stdout.splitlines()) == (1, True)
    refused(mfhera("diff", "prices.py", "--version", "9"), "pricesflow has no version 9 in its history")
    refused(mfhera("diff", "prices.py", "--version", "1", "--from", "x"), "--from and --version")
    assert len(mfhera.json("versions", "--json")) == 2

    # Neither the flow's file nor its folder is needed.
    (folder / "prices.py").unlink()
    elsewhere = mfhera.at(folder.parent / "elsewhere")
    done = elsewhere.ok("rollback", "--name", "pricesflow", "--message", "two was wrong")
    assert done.startswith("Rolled back pricesflow to version 1, as version 3.")
    third = mfhera.run()
    assert mfhera.json("schedule", "--json")["schedules"][0]["expression"] == "0 6 * * *"

    versions = mfhera.json("versions", "--json")
    assert [(each["version"], each["live"], each["kind"], each["to"]) for each in versions] == [
        *[(3, True, "rollback", 1), (2, False, "create", None), (1, False, "create", None)],
    ]
    assert [each["message"] for each in versions] == ["two was wrong", "prices of two", None]
    assert [each["dirty"] for each in versions] == [False, True, False]
    assert {each["branch"] for each in versions} == {"work"}
    assert versions[0]["package"] == versions[2]["package"] != versions[1]["package"]
    lines = mfhera.ok("versions").splitlines()
    assert lines[1].startswith("3 (live)")
    assert lines[1].endswith("a rollback to 1: two was wrong")
    assert len(mfhera.ok("versions", "--limit", "1").splitlines()) == 2

    # Which run came from which version.
    told = json.loads(mfhera.python("-c", CLIENT).stdout)
    assert told == {
        second["run_id"]: ["version:2", "two", 0.75],
        third["run_id"]: ["version:3", "one", 0.5],
    }
    assert [run["run_id"] for run in mfhera.json("runs", "--version", "3", "--json")] == [third["run_id"]]
    assert "has no such runs" in mfhera.ok("runs", "--version", "1")
    assert "version 2" in mfhera.ok("status", second["run_id"]).splitlines()[0]
    (listed,) = mfhera.json("list", "--json")
    assert (listed["version"], listed["unfinished"]) == (3, None)

    refused(mfhera("rollback", "--to", "9"), "pricesflow has no version 9 in its history", "mfhera versions")
    refused(mfhera("rollback", "--to", "3"), "pricesflow is at version 3")
    refused(mfhera("rollback", env={"METAFLOW_USER": "other", "METAFLOW_HOME": "other"}), "--authorize TOKEN")
    refused(mfhera("versions", "--name", "absent"), "There is no deployment absent")
    refused(mfhera("runs", "--all", "--version", "1"), "--version is that of one deployment")
    refused(mfhera("create", "prices.py", env={"METAFLOW_HERA_HISTORY": "0"}), "There is no file prices.py")
    write(folder, "three")
    refused(mfhera("create", "prices.py", env={"METAFLOW_HERA_HISTORY": "0"}), "METAFLOW_HERA_HISTORY")

    # On the flow's own command line.
    first = mfhera.python("prices.py", "hera", "rollback", "--to", "2", "--json")
    assert json.loads(first.stdout)["version"] == 4, first.stderr
    found = mfhera.python("prices.py", "hera", "versions", "--json")
    assert [each["version"] for each in json.loads(found.stdout)] == [4, 3, 2, 1]


@pytest.mark.embedded_only("has no history before the test")
def test_a_package_that_is_gone_and_an_entry_that_cannot_be_read(mfhera: Mfhera) -> None:
    for found in ("one", "two"):
        write(mfhera.folder, found)
        mfhera.ok("create", "prices.py")
    (_, first) = mfhera.json("versions", "--json")
    package = Path(first["package"])
    package.rename(package.with_suffix(".kept"))
    refused(mfhera("rollback"), str(package), "is not in the datastore any more", "mfhera create")
    package.with_suffix(".kept").rename(package)
    entry = next((mfhera.folder / ".metaflow" / "PricesFlow" / "mfhera-versions").glob("*/000001-*"))
    assert entry.stat().st_mode & 0o777 == 0o600
    entry.write_text("{")
    for verb in ("rollback", "versions"):
        refused(mfhera(verb), str(entry), "cannot be read", "Restore the file, or delete it")
    entry.unlink()
    refused(mfhera("rollback"), "pricesflow has no earlier version")
    mfhera.ok("delete", "prices.py")


@pytest.mark.embedded_only("has no history before the test")
@pytest.mark.parametrize("verb", [("versions",), ("rollback", "--dry-run")])
def test_what_was_deployed_from_a_file_is_told(mfhera: Mfhera, verb: tuple[str, ...]) -> None:
    write(mfhera.folder, "one")
    mfhera.ok("create", "prices.py", "--only-yaml", "--output", "made.yaml")
    said = mfhera.ok("create", "--from", "made.yaml")
    assert "It has no version yet" in said
    if verb == ("versions",):
        done = mfhera("versions")
        assert done.stdout.splitlines()[1].startswith("- (live)")
        assert "create --from or kubectl deployed it" in message(done)
    else:
        refused(mfhera(*verb), "pricesflow has no earlier version")
    mfhera.ok("delete", "prices.py")


def test_what_was_tested_on_a_branch_becomes_production(mfhera: Mfhera) -> None:
    """The very package: its tasks are production's all the same."""
    mfhera.take("project_flow.py")
    mfhera.ok("create", "project_flow.py", "--branch", "tried")
    (tested,) = mfhera.json("versions", "--name", "tested.test.tried.projectflow", "--json")
    promote = ("create", "project_flow.py", "--production", "--from-branch")
    made = mfhera.json(*promote, "tried", "--message", "tried it", "--json")
    assert (made["name"], made["version"]) == ("tested.prod.projectflow", 1)
    (version,) = mfhera.json("versions", "--json")
    assert version["package"] == tested["package"]
    assert version["kind"] == "promotion"
    assert version["origin"] == {"deployment": "tested.test.tried.projectflow", "version": 1}
    end = mfhera.read(mfhera.run()["pathspec"])["end"]
    assert end["where"] == "('tested', 'prod', 'tested.prod.ProjectFlow', True, False)"
    assert {"project_branch:prod", "version:1"} <= set(end["tags"])
    assert "project_branch:test.tried" not in end["tags"]
    # Back and forth between packages of both.
    with (mfhera.folder / "project_flow.py").open("a") as script:
        script.write("# changed\n")
    differs = ("project_flow.py differs", "Use the files that were deployed there")
    refused(mfhera(*promote, "tried"), "differs from what is live as tested.test.tried.projectflow", *differs)
    mfhera.ok("create", "project_flow.py", "--production")
    mfhera.ok("rollback", "--name", "tested.prod.projectflow")
    run = mfhera.run()
    assert run["version"] == 3
    assert "'tested.prod.ProjectFlow', True" in mfhera.read(run["pathspec"])["end"]["where"]
    refused(mfhera(*promote, "absent"), "no deployment tested.test.absent.projectflow")
    refused(mfhera(*promote, "tried", "--only-yaml"), "--from-branch needs a server")
    mfhera.ok("create", "project_flow.py", "--production", "--only-yaml", "--output", "made.yaml")
    compared = mfhera("diff", *promote[1:], "tried", "--from", "made.yaml")
    refused(compared, "--from-branch needs a server")
    refused(
        mfhera("create", "project_flow.py", "--branch", "tried", "--from-branch", "tried"),
        "cannot be promoted to itself",
    )
    refused(mfhera("create", "project_flow.py", "--branch", "b", "--from-branch", "tried", "--dry-run"))
    mfhera.take("linear_flow.py")
    refused(mfhera("create", "linear_flow.py", "--from-branch", "tried"), "for a flow with @project")
    for branch in (("--production",), ("--branch", "tried")):
        mfhera.ok("delete", "project_flow.py", *branch)
