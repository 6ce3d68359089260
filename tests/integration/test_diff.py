"""`mfhera diff`: what `create` would change, told before it does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import any_argo
import pytest
from harness import EXAMPLES, Mfhera, message, refused

FLOW = """
from metaflow import FlowSpec, Parameter, schedule, step

import helper


@schedule(cron="0 2 * * *")
class NightlyFlow(FlowSpec):
    alpha = Parameter("alpha", default=0.1)

    @step
    def start(self):
        self.words = helper.WORDS
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    NightlyFlow()
"""
DEPLOYER = """
import json
from dataclasses import asdict
from metaflow import Deployer
from metaflow.exception import MetaflowException
from metaflow.runner.deployer import DeployedFlow
deployer = Deployer("nightly_flow.py", show_output=False).hera()
deployed = deployer.create()
print(bool(deployer.diff()), bool(deployed.diff()))
print(json.dumps(asdict(deployed.diff(max_workers=3, workflow_priority=7))))
try:
    DeployedFlow.from_hera("nightlyflow").diff()
except MetaflowException as error:
    print(error)
try:
    deployer.diff(workflow_timeout=-1)
except Exception as error:
    print(type(error).__name__)
"""
PYTHON = """
from metaflow_hera import Deployment, Difference, UsageError, deploy
deployment = deploy("nightly_flow.py")
open("helper.py", "a").write("# more\\n")
found = deployment.diff()
assert isinstance(found, Difference)
print([change.path for change in found.files], found.objects)
by_name = Deployment.find(deployment.name)
print([change.path for change in by_name.diff("nightly_flow.py", workflow_priority=7).files])
for call in (
    lambda: by_name.diff(),
    lambda: by_name.diff("nightly_flow.py", name="other"),
    lambda: deployment.diff(workflow_priority=7),
):
    try:
        call()
    except UsageError as error:
        print(error)
"""


def files_below(folder: Path) -> dict[str, tuple[int, int]]:
    """All files below a folder, with their sizes and times."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            about = path.stat()
            found[str(path.relative_to(folder))] = (about.st_size, about.st_mtime_ns)
    return found


@pytest.fixture
def nightly(own_mfhera: Mfhera) -> Mfhera:
    """A project with a flow that is deployed as it is."""
    folder = own_mfhera.folder
    (folder / "nightly_flow.py").write_text(FLOW)
    (folder / "helper.py").write_text("WORDS = 1\n")
    own_mfhera.ok("create", "nightly_flow.py")
    return own_mfhera


def edit(mfhera: Mfhera, file: str, old: str, new: str) -> None:
    path = mfhera.folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def diff(mfhera: Mfhera, *options: str, code: int = 1, **more: Any) -> str:
    done = mfhera("diff", "nightly_flow.py", *options, **more)
    assert done.returncode == code, done.stdout + done.stderr
    assert message(done) == ""
    return done.stdout


def test_three_kinds_of_change_and_none_after_create(nightly: Mfhera) -> None:
    assert diff(nightly, code=0) == "Nothing differs in nightlyflow.\n"
    edit(nightly, "nightly_flow.py", "default=0.1", "default=0.5")
    edit(nightly, "nightly_flow.py", '"0 2 * * *"', '"0 3 * * *", timezone="Europe/Berlin"')
    edit(nightly, "helper.py", "1", "2")
    before = nightly.stored(), files_below(nightly.folder), files_below(nightly.home / "tokens")
    said = diff(nightly, "--label", "team=blue")
    assert said.startswith(
        """Parameters
  ~ alpha, its default: 0.1 -> 0.5
Schedules and events
  - the schedule 0 2 * * * (UTC)
  + the schedule 0 3 * * * (Europe/Berlin)
Objects
    WorkflowTemplate nightlyflow
    + metadata.labels.team: blue
"""
    )
    assert "\n--- a/helper.py\n+++ b/helper.py\n@@ -1 +1 @@\n-WORDS = 1\n+WORDS = 2\n" in said
    assert (
        '-    alpha = Parameter("alpha", default=0.1)\n+    alpha = Parameter("alpha", default=0.5)\n' in said
    )
    assert "\x1b" not in said
    assert "production" not in said
    stat = diff(nightly, "--stat").splitlines()
    assert [line.split("|")[0].strip() for line in stat] == [
        *("WorkflowTemplate nightlyflow", "CronWorkflow nightlyflow", "Parameters", "Schedules and events"),
        *("helper.py", "nightly_flow.py", "2 objects, 2 files, 3 insertions, 3 deletions"),
    ]
    assert diff(nightly, "--name-only").splitlines() == [
        *("WorkflowTemplate/nightlyflow", "CronWorkflow/nightlyflow", "helper.py", "nightly_flow.py")
    ]
    found = json.loads(diff(nightly, "--json"))
    assert (found["differs"], found["is_new"], found["name"]) == (True, False, "nightlyflow")
    assert [each["name"] for each in found["starts"]] == ["0 2 * * * (UTC)", "0 3 * * * (Europe/Berlin)"]
    # Nothing was written: at the server, in the datastore, in the folder.
    assert (nightly.stored(), files_below(nightly.folder), files_below(nightly.home / "tokens")) == before
    nightly.ok("create", "nightly_flow.py")
    assert diff(nightly, code=0)
    assert json.loads(diff(nightly, "--json", code=0))["differs"] is False
    assert diff(nightly, "--name-only", code=0) == ""


@pytest.mark.embedded_only("keeps its data in the test's folder")
def test_what_deploys_is_what_is_compared_whoever_asks_and_from_a_copy(nightly: Mfhera) -> None:
    """Another clone of the same code, by somebody else without the token, in another order on the disk."""
    copy = nightly.at(nightly.home / "copy")
    for name in ("nightly_flow.py", "helper.py"):
        path = copy.folder / name
        path.write_text((nightly.folder / name).read_text())
        path.chmod(0o664)
        os.utime(path, (1, 1))
    other = {"METAFLOW_USER": "other", "METAFLOW_HOME": str(nightly.home / "other")}
    # On this machine the pods are told where the data of the deployer's folder is.
    env = {**other, "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(nightly.folder)}
    found = json.loads(diff(copy, "--json", env=env))
    assert found["about"] == [{"field": "owner", "old": "tester", "new": "other"}]
    assert (found["files"], found["software"], found["parameters"], found["starts"]) == ([], [], [], [])
    changed = {field["field"] for each in found["objects"] for field in each["fields"]}
    assert {field.partition("env")[2] for field in changed} <= {
        "[METAFLOW_TOKEN_HOME]",
        "[METAFLOW_HERA_CARDS]",
    }


def test_a_first_version(own_mfhera: Mfhera) -> None:
    (own_mfhera.folder / "nightly_flow.py").write_text(FLOW)
    (own_mfhera.folder / "helper.py").write_text("WORDS = 1\n")
    own_mfhera.start()
    said = diff(own_mfhera)
    assert said.startswith("Nothing is deployed as nightlyflow yet: all of it is new.\n")
    for line in (
        "+ WorkflowTemplate nightlyflow",
        "+ CronWorkflow nightlyflow",
        "+ alpha: float = 0.1",
        "+ helper.py",
    ):
        assert f"  {line}\n" in said
    assert own_mfhera.stored() == []


@pytest.mark.embedded_only("may be found not running")
def test_it_starts_no_server(own_mfhera: Mfhera) -> None:
    (own_mfhera.folder / "nightly_flow.py").write_text(FLOW)
    (own_mfhera.folder / "helper.py").write_text("WORDS = 1\n")
    refused(own_mfhera("diff", "nightly_flow.py"), "The embedded Argo is not running")


@pytest.mark.embedded_only("keeps its data in the test's folder")
def test_a_code_package_that_is_gone_or_none(nightly: Mfhera) -> None:
    arguments = nightly.ask("workflow-templates", "nightlyflow")["spec"]["arguments"]["parameters"]
    package = Path(next(each["value"] for each in arguments if each["name"] == "metaflow-code-package"))
    package.unlink()
    # The same code has the same package: whether it is still there is another question.
    assert diff(nightly, code=0)
    edit(nightly, "nightly_flow.py", "default=0.1", "default=0.5")
    edit(nightly, "helper.py", "1", "2")
    said = diff(nightly)
    assert "alpha, its default: 0.1 -> 0.5" in said
    assert f"The code is not compared: the code package {package} is no longer there." in said
    assert "helper.py" not in said
    package.write_bytes(b"something else")
    assert f"the code package {package} is no code package." in diff(nightly, "--stat")


def test_an_include_file_is_not_stored(own_mfhera: Mfhera) -> None:
    own_mfhera.take("include_flow.py", "include_flow.txt")
    own_mfhera.ok("create", "include_flow.py")
    assert own_mfhera("diff", "include_flow.py").returncode == 0
    (own_mfhera.folder / "include_flow.txt").write_text("another text")
    before = files_below(own_mfhera.folder)
    done = own_mfhera("diff", "include_flow.py")
    assert done.returncode == 1
    assert "~ data, its default: the file with the hash" in done.stdout
    assert files_below(own_mfhera.folder) == before


@pytest.mark.parametrize("output", ["made.yaml", "manifests/"])
def test_against_an_export_no_server_is_asked(own_mfhera: Mfhera, output: str) -> None:
    (own_mfhera.folder / "nightly_flow.py").write_text(FLOW)
    (own_mfhera.folder / "helper.py").write_text("WORDS = 1\n")
    own_mfhera.ok("create", "nightly_flow.py", "--only-yaml", "--output", output)
    assert diff(own_mfhera, "--from", output, code=0)
    edit(own_mfhera, "nightly_flow.py", "@schedule(", "# @schedule(")
    edit(own_mfhera, "helper.py", "1", "2")
    names = diff(own_mfhera, "--from", output, "--name-only").splitlines()
    assert (
        names
        == [*("WorkflowTemplate/nightlyflow", "CronWorkflow/nightlyflow", "helper.py", "nightly_flow.py")][1:]
    )
    assert own_mfhera.stored() == []


def test_what_cannot_be_compared_is_refused(nightly: Mfhera, tmp_path: Path) -> None:
    (nightly.folder / "broken.yaml").write_text("{")
    (nightly.folder / "cron.json").write_text('{"kind": "Pod", "metadata": {"name": "x"}}')
    refused(nightly("diff", "absent.py"), "There is no file absent.py")
    refused(nightly("diff", "nightly_flow.py", "--from", "absent.yaml"), "absent.yaml cannot be read")
    refused(nightly("diff", "nightly_flow.py", "--from", "broken.yaml"), "neither YAML nor JSON")
    refused(nightly("diff", "nightly_flow.py", "--from", "cron.json"), "It holds Pod")
    refused(nightly("diff", "nightly_flow.py", "--stat", "--json"), "--stat and --json")
    nightly.take("linear_flow.py")
    nightly.ok("create", "linear_flow.py", "--only-json", "--output", "linear.json")
    refused(nightly("diff", "nightly_flow.py", "--from", "linear.json"), "The export is of LinearFlow")
    refused(
        nightly("diff", "linear_flow.py", "--from", "linear.json", "--name", "other"),
        "deployed as linearflow, and not of LinearFlow as other",
    )
    (nightly.folder / "empty").mkdir()
    refused(
        nightly("diff", "linear_flow.py", "--from", "empty"), "one workflow template, but this one holds 0"
    )
    refused(nightly("diff", "nightly_flow.py", "--workflow-timeout", "-1"), "--workflow-timeout")
    nowhere = {"ARGO_SERVER": "127.0.0.1:9", "ARGO_SECURE": "false"}
    why = "127.0.0.1:9" if any_argo.real() else "cannot see this machine's files"
    refused(nightly("diff", "nightly_flow.py", env=nowhere), why)


def test_the_name_of_another_flow_is_refused_as_by_create(nightly: Mfhera) -> None:
    nightly.take("linear_flow.py")
    refused(nightly("diff", "linear_flow.py", "--name", "nightlyflow"), "belongs to NightlyFlow")


def test_another_token_is_told_and_not_shown(nightly: Mfhera) -> None:
    for option in (("--generate-new-token",), ("--new-token", "the-other-one")):
        said = diff(nightly, *option)
        assert said == "Deployment\n  ~ production token: (hidden), another one\n"


@pytest.mark.parametrize("environment", ["conda", "pypi"])
def test_environments_are_not_made(own_mfhera: Mfhera, environment: str) -> None:
    (own_mfhera.folder / "nightly_flow.py").write_text(FLOW)
    (own_mfhera.folder / "helper.py").write_text("WORDS = 1\n")
    own_mfhera.start()
    before = files_below(own_mfhera.folder)
    said = diff(own_mfhera, f"--environment={environment}")
    assert f"The packages of --environment={environment} are not compared" in said
    assert "  + helper.py\n" in said
    assert files_below(own_mfhera.folder) == before


def test_on_the_flows_own_command_line(nightly: Mfhera) -> None:
    edit(nightly, "helper.py", "1", "2")
    done = nightly.python("nightly_flow.py", "--no-pylint", "hera", "diff", "--name-only")
    assert (done.returncode, done.stdout) == (1, "helper.py\n"), done.stderr


def test_from_a_deployer(own_mfhera: Mfhera) -> None:
    (own_mfhera.folder / "nightly_flow.py").write_text(FLOW)
    (own_mfhera.folder / "helper.py").write_text("WORDS = 1\n")
    done = own_mfhera.python("-c", DEPLOYER)
    assert done.returncode == 0, done.stdout + done.stderr
    differs, found, error, kind = done.stdout.splitlines()
    assert differs == "False False"
    (change,) = json.loads(found)["objects"]
    assert change["fields"] == [{"field": "spec.priority", "old": None, "new": 7}]
    assert error == "nightlyflow was found by its name: use Deployer(FILE).hera().diff() with its script."
    assert kind == "RuntimeError"


def test_from_python(nightly: Mfhera) -> None:
    done = nightly.python("-c", PYTHON)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "['helper.py'] ()",
        "['helper.py']",
        "nightlyflow was found by its name: give the flow to compare it with.",
        "With these options the flow is deployed as other, and not as nightlyflow: "
        "give those with which it was deployed.",
        "Options of deploy need the flow that they are for: give it before them.",
    ]


def test_what_metaflows_plugin_has_deployed(own_mfhera: Mfhera) -> None:
    """Its template tells the URL of its code package in a variable of the pods, not in an argument."""
    own_mfhera.take(EXAMPLES / "parameter_flow.py")
    own_mfhera.ok("create", "parameter_flow.py")
    template = own_mfhera.ask("workflow-templates", "parameterflow")
    parameters = template["spec"]["arguments"]["parameters"]
    (code,) = (each for each in parameters if each["name"] == "metaflow-code-package")
    parameters.remove(code)
    for part in template["spec"]["templates"]:
        for variable in part.get("container", {}).get("env", ()):
            if variable["name"] == "METAFLOW_CODE_URL":
                variable["value"] = code["value"]
    own_mfhera.server.call("PUT", "workflow-templates", "parameterflow", json={"template": template})
    script = own_mfhera.folder / "parameter_flow.py"
    script.write_text(script.read_text().replace("0.01", "0.05"))
    done = own_mfhera("diff", "parameter_flow.py")
    assert done.returncode == 1
    assert "not compared" not in done.stdout
    assert '+    alpha = Parameter("alpha", help="Learning rate", default=0.05)' in done.stdout
