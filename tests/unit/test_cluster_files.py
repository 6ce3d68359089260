"""The files of deploy/: valid by Kubernetes' and Argo Events' schemas, and as small as the verbs need."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from harness import TESTS
from jsonschema import Draft7Validator

from metaflow_hera.argo.permissions import OF_DEPLOYERS, OF_DEPLOYERS_OF_EVENTS
from metaflow_hera.cli.main import mfhera
from metaflow_hera.contract.datastores import SHARED
from metaflow_hera.errors import ConfigurationError, OptionError
from metaflow_hera.operations.cluster_files import text_of
from metaflow_hera.operations.health.pod_report import needed

FOLDER = TESTS.parent / "metaflow_hera" / "deploy"
BOOTSTRAP = TESTS.parent / "metaflow_hera" / "runtime" / "bootstrap.py"
MANIFESTS = sorted(path for path in FOLDER.glob("*/*.yaml") if path.name != "kustomization.yaml")
DEFINITIONS = {
    "v1": ("kubernetes-1.37", "io.k8s.api.core.v1"),
    "rbac.authorization.k8s.io/v1": ("kubernetes-1.37", "io.k8s.api.rbac.v1"),
    "argoproj.io/v1alpha1": ("argo-events-1.9.11", "io.argoproj.events.v1alpha1"),
}
"""The schema of the objects of each version of an API, and how their definitions begin."""
BY_NAMESPACE = {"Role", "RoleBinding", "ServiceAccount", "Secret", "EventBus", "EventSource"}
Manifest = dict[str, Any]


def objects(path: Path) -> list[Manifest]:
    """The objects in a file."""
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def all_objects() -> list[Manifest]:
    """All objects of deploy/."""
    return [item for path in MANIFESTS for item in objects(path)]


def faults(item: Manifest) -> list[str]:
    """What is wrong with an object by its schema, in which no object may have other fields.

    The schemas are extracts, without their descriptions.
    """
    file, group = DEFINITIONS[item["apiVersion"]]
    definitions = json.loads((TESTS / "data" / f"{file}.schema.json").read_text())["definitions"]
    # A webhook's address as others see it: asked for by the schema alone, in none of Argo's examples.
    for definition in definitions.values():
        definition["required"] = [each for each in definition.get("required", ()) if each != "url"]
    for definition in definitions.values():
        if "properties" in definition:
            definition.setdefault("additionalProperties", False)
    root = {"$ref": f"#/definitions/{group}.{item['kind']}", "definitions": definitions}
    return [f"{error.json_path}: {error.message}" for error in Draft7Validator(root).iter_errors(item)]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_each_object_is_valid(path: Path) -> None:
    assert objects(path)
    for item in objects(path):
        assert faults(item) == [], item["metadata"]["name"]
        assert item["kind"] in BY_NAMESPACE
        assert item["metadata"]["namespace"] == "flows"


@pytest.mark.parametrize("wrong", [{"rule": []}, {"rules": [{"verbs": "get"}]}, {"metadata": {"nam": "x"}}])
def test_the_schema_finds_faults(wrong: Manifest) -> None:
    (role,) = [each for each in all_objects() if each["metadata"]["name"] == "metaflow-task"][1:2]
    assert faults({**role, **wrong})


def test_the_clone_has_them_at_its_top() -> None:
    assert (TESTS.parent / "deploy").resolve() == FOLDER


def test_each_kustomization_has_the_file_beside_it() -> None:
    for path in FOLDER.glob("*/kustomization.yaml"):
        found = yaml.safe_load(path.read_text())
        assert (found["kind"], found["namespace"]) == ("Kustomization", "flows")
        beside = {each.name for each in path.parent.iterdir()} - {path.name}
        assert set(found["resources"]) == beside


def rules_of(name: str) -> list[tuple[str, str, str]]:
    """What a Role allows: API group, resource and verb of each permission."""
    (role,) = [each for each in all_objects() if (each["kind"], each["metadata"]["name"]) == ("Role", name)]
    return [
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


@pytest.mark.parametrize(
    ("role", "permissions"),
    [("metaflow-deployer", OF_DEPLOYERS), ("metaflow-deployer-of-sensors", OF_DEPLOYERS_OF_EVENTS)],
)
def test_a_deployers_role_is_what_the_verbs_need(role: str, permissions: Any) -> None:
    """No more and no less: tests/unit/server/test_permissions.py asks the verbs themselves."""
    assert sorted(rules_of(role)) == sorted((each.group, each.resource, each.verb) for each in permissions)


def test_the_roles_of_pods() -> None:
    """That of tasks is Argo's for its executor, that of sensors what Argo Events needs to create a run."""
    argo = "argoproj.io"
    assert rules_of("metaflow-task") == [(argo, "workflowtaskresults", verb) for verb in ("create", "patch")]
    assert rules_of("metaflow-sensor") == [(argo, "workflows", "create")]


def test_each_role_is_bound_to_an_account_that_is_there() -> None:
    found = {(each["kind"], each["metadata"]["name"]): each for each in all_objects()}
    roles = {name for kind, name in found if kind == "Role"}
    bound = {name: each for (kind, name), each in found.items() if kind == "RoleBinding"}
    assert {each["roleRef"]["name"] for each in bound.values()} == roles == set(bound)
    for binding in bound.values():
        (subject,) = binding["subjects"]
        assert (subject["kind"], subject["name"]) in found
        assert subject["namespace"] == "flows"


def test_what_events_say_to_configure_is_what_is_there() -> None:
    text = (FOLDER / "events" / "events.yaml").read_text()
    said = dict(re.findall(r"METAFLOW_ARGO_EVENTS_(\w+)=([\w-]+)", text))
    found = {each["kind"]: each for each in all_objects() if each["kind"].startswith("Event")}
    source = found["EventSource"]
    assert said == {
        "EVENT_BUS": found["EventBus"]["metadata"]["name"],
        "EVENT_SOURCE": source["metadata"]["name"],
        "EVENT": next(iter(source["spec"]["webhook"])),
        "SERVICE_ACCOUNT": "metaflow-sensor",
    }
    webhook = source["spec"]["webhook"][said["EVENT"]]
    address = f"http://{said['EVENT_SOURCE']}-eventsource-svc:{webhook['port']}{webhook['endpoint']}"
    assert address in text
    assert source["spec"]["service"]["ports"][0]["port"] == int(webhook["port"])


def test_the_image_has_what_pods_would_install() -> None:
    installed = {}
    for function in ast.parse(BOOTSTRAP.read_text()).body:
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "need":
                kind = getattr(function, "name", "").removeprefix("fetch_")
                installed[kind] = tuple(ast.literal_eval(each) for each in node.args)
    assert installed == {name: needed(name) for name in SHARED}
    text = (FOLDER / "image" / "Dockerfile").read_text()
    assert f'ARG LIBRARIES="{" ".join(installed["s3"])}"\n' in text
    assert f"For Azure: {' '.join(installed['azure'])}. " in text
    assert f"For Google Storage: {' '.join(installed['gs'])}.\n" in text


class TestPrinting:
    """`mfhera doctor --print`."""

    def test_the_namespace_in_use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ARGO_NAMESPACE", "science")
        for what in ("rbac", "events"):
            found = [each for each in yaml.safe_load_all(text_of(what)) if each]
            assert {each["metadata"]["namespace"] for each in found} == {"science"}
            subjects = [subject for each in found for subject in each.get("subjects", ())]
            assert {subject["namespace"] for subject in subjects} == {"science"}
            assert "flows\n" not in text_of(what).replace("deploys flows", "")

    @pytest.mark.parametrize("name", ["123", "on", "null", "1e3"])
    def test_a_namespace_that_looks_like_something_else(
        self, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setenv("ARGO_NAMESPACE", name)
        for what in ("rbac", "storage", "events"):
            assert f'namespace: "{name}"\n' in text_of(what, "s3")

    def test_no_namespace_becomes_more_of_the_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ARGO_NAMESPACE", "flows\nspec: {}")
        for what in ("rbac", "storage", "events"):
            with pytest.raises(ConfigurationError, match=r"ARGO_NAMESPACE is .* cannot be a namespace"):
                text_of(what, "s3")

    def test_nothing_else_is_on_stdout(self) -> None:
        done = CliRunner().invoke(mfhera, ["doctor", "--print", "rbac"])
        assert done.stdout == text_of("rbac")

    @pytest.mark.parametrize("name", SHARED)
    def test_the_storage_of_a_datastore(self, name: str) -> None:
        (item,) = yaml.safe_load_all(text_of("storage", name))
        assert "${" in json.dumps(item)  # for envsubst to fill in

    def test_no_cluster_has_a_local_datastore(self) -> None:
        with pytest.raises(OptionError, match="add --datastore s3, azure or gs"):
            text_of("storage", "local")

    def test_sensors_in_a_namespace_of_their_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("metaflow.metaflow_config.ARGO_EVENTS_SENSOR_NAMESPACE", "events")
        with pytest.raises(ConfigurationError, match="SENSOR_NAMESPACE is events"):
            text_of("events")
        monkeypatch.setenv("ARGO_NAMESPACE", "events")  # which is that of all
        assert 'namespace: "events"\n' in text_of("events")

    def test_the_image(self) -> None:
        here = ".".join(map(str, sys.version_info[:2]))
        assert f"\nARG PYTHON={here}\nFROM python:${{PYTHON}}-slim\n" in text_of("image")
