"""What `mfhera create --only-...` writes: the same objects in every form, small, and as Argo takes them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from argo_schema import faults
from exporting import at, containers, exported, objects, tasks, template
from harness import linear_flow
from test_golden import CASES

FORMS = ["mixed", "types", "schedule", "options", "metrics"]


@pytest.mark.parametrize("name", CASES)
def test_every_object_is_valid_by_argos_schema(name: str) -> None:
    assert [faults(item) for item in objects(exported(*CASES[name])) if faults(item)] == []


def test_the_schema_refuses_a_misspelt_field() -> None:
    item = json.loads(json.dumps(template("linear_flow.py")))
    item["spec"]["templates"][0]["paralelism"] = 2
    assert faults(item)
    (sensor,) = objects(exported("event_flow.py"))[1:]
    sensor["spec"]["triggers"][0]["template"]["condition"] = "a"
    assert faults(sensor)


@pytest.mark.parametrize("name", FORMS)
def test_yaml_is_the_same_as_json(name: str) -> None:
    text = exported(*CASES[name], form="yaml")
    assert list(yaml.safe_load_all(text)) == objects(exported(*CASES[name]))


@pytest.mark.parametrize("name", FORMS)
def test_the_python_script_prints_the_same_as_json(name: str, tmp_path: Path) -> None:
    script = tmp_path / "objects.py"
    script.write_text(exported(*CASES[name], form="python"))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=True)
    assert [json.loads(line) for line in done.stdout.splitlines()] == objects(exported(*CASES[name]))


def test_the_same_flow_gives_the_same_text_twice(tmp_path: Path) -> None:
    command = at(tmp_path)
    command.take("mixed_flow.py")
    args = ("create", "mixed_flow.py", "--only-yaml", "--new-token", "token-0")
    assert command.ok(*args) == command.ok(*args)


def test_output_goes_to_a_file(tmp_path: Path) -> None:
    command = at(tmp_path)
    command.take("linear_flow.py")
    assert command.ok("create", "linear_flow.py", "--only-json", "--output", "made.json") == ""
    assert json.loads((tmp_path / "made.json").read_text())["kind"] == "WorkflowTemplate"


def test_exporting_deploys_nothing_and_starts_no_server(tmp_path: Path) -> None:
    command = at(tmp_path)
    command.take("linear_flow.py")
    command.ok("create", "linear_flow.py", "--only-yaml")
    assert command("local", "status").returncode == 1


@pytest.mark.parametrize(("steps", "limit"), [(2, 12_000), (50, 20_000), (500, 120_000)])
def test_a_manifest_is_small(steps: int, limit: int, tmp_path: Path) -> None:
    command = at(tmp_path)
    (tmp_path / "flow.py").write_text(linear_flow(steps))
    whole = command.json("create", "flow.py", "--only-json")
    assert len(tasks(whole)) == steps
    assert len(containers(whole)) == 1
    assert len(json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode()) <= limit


def test_a_cluster_gets_its_own_interpreter_and_namespace() -> None:
    embedded = containers(template("linear_flow.py"))["task"]["container"]
    assert embedded["command"] == [sys.executable]


def test_an_export_for_a_cluster_with_a_local_datastore_is_refused(tmp_path: Path) -> None:
    """Its pods could not see the data; tests/integration/test_datastores.py has the export that they can."""
    command = at(tmp_path)
    command.take("linear_flow.py")
    env = {"ARGO_SERVER": "argo.example:2746", "ARGO_NAMESPACE": "team"}
    done = command("create", "linear_flow.py", "--only-json", env=env)
    assert done.returncode == 2
    assert "--datastore=s3" in done.stderr
    assert done.stdout == ""


def test_pods_have_the_credentials_of_an_extension(tmp_path: Path) -> None:
    command = at(tmp_path)
    command.take("linear_flow.py")
    given = {f"METAFLOW_DEFAULT_{cloud}_CLIENT_PROVIDER": "ours" for cloud in ("AWS", "AZURE", "GCP")}
    made = command.json("create", "linear_flow.py", "--only-json", env=given)
    env = containers(made)["task"]["container"]["env"]
    assert given.items() <= {each["name"]: each.get("value") for each in env}.items()
