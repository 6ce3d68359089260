"""Exports for GitOps: the same bytes each time, all objects, and what they deploy is what the flow does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from argo_schema import faults
from harness import EXAMPLES, Mfhera, message, refused
from versionless import without_version

FIVE = {
    "parameter_flow.py": ["WorkflowTemplate"],
    "hourly_flow.py": ["WorkflowTemplate", "CronWorkflow"],
    "nightly/load_flow.py": ["WorkflowTemplate", "CronWorkflow"],
    "nightly/report_flow.py": ["WorkflowTemplate", "Sensor"],
    "nightly/restock_flow.py": ["WorkflowTemplate", "Sensor"],
}
sensors = pytest.mark.embedded_only("has sensors, as Argo Events has them for a cluster")
PLURAL = {"WorkflowTemplate": "workflow-templates", "CronWorkflow": "cron-workflows", "Sensor": "sensors"}
OF_THE_SERVER = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid", "namespace")
WHO_WROTE_IT = tuple(f"workflows.argoproj.io/{word}" for word in ("creator", "actor", "action"))
"""What the labels begin with by which Argo's server says whose token it was."""


def example(mfhera: Mfhera, name: str) -> str:
    shutil.copy(EXAMPLES / name, mfhera.folder)
    return Path(name).name


def at_server(mfhera: Mfhera, item: dict[str, Any]) -> dict[str, Any]:
    """An object as the server has it, without what differs from one deployment to the next."""
    found: dict[str, Any] = mfhera.ask(PLURAL[item["kind"]], item["metadata"]["name"])
    for key in OF_THE_SERVER:
        found["metadata"].pop(key, None)
    found = without_version(found)
    for key in [key for key in found["metadata"]["labels"] if key.startswith(WHO_WROTE_IT)]:
        del found["metadata"]["labels"][key]
    found.pop("status", None)
    return found


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=sensors if "Sensor" in FIVE[name] else ()) for name in FIVE]
)
def test_an_export_is_stable_valid_and_deploys_the_same(own_mfhera: Mfhera, name: str) -> None:
    mfhera = own_mfhera
    flow = example(mfhera, name)
    mfhera.ok("create", flow, "--only-yaml", "--output", "first.yaml")
    text = (mfhera.folder / "first.yaml").read_text()
    # Cold, for another order of what lies in sets.
    assert mfhera.cold.ok("create", flow, "--only-yaml") == text
    items = list(yaml.safe_load_all(text))
    assert [item["kind"] for item in items] == FIVE[name]
    assert [faults(item) for item in items if faults(item)] == []
    assert mfhera.stored() == []

    assert "first.yaml" in mfhera.ok("create", "--from", "first.yaml")
    by_export = [at_server(mfhera, item) for item in items]
    timestamp = next(each for each in mfhera.json("list", "--json"))["deployed_at"]
    assert timestamp
    mfhera.ok("delete", flow)
    assert mfhera.stored() == []
    token = items[0]["metadata"]["annotations"]["metaflow/production_token"]
    mfhera.ok("create", flow, "--new-token", token)
    assert [at_server(mfhera, item) for item in items] == by_export
    mfhera.ok("create", "--from", "first.yaml")  # over what is there
    assert [at_server(mfhera, item) for item in items] == by_export
    # What is deployed by now has not changed what is written.
    assert mfhera.ok("create", flow, "--only-yaml") == text


def test_an_exported_flow_runs(own_mfhera: Mfhera) -> None:
    flow = example(own_mfhera, "parameter_flow.py")
    own_mfhera.ok("create", flow, "--only-json", "--output", "made.json")
    own_mfhera.ok("create", "--from", "made.json")
    assert own_mfhera.run("--param", "alpha=0.25")["state"] == "Succeeded"


def test_one_file_an_object(own_mfhera: Mfhera) -> None:
    flow = example(own_mfhera, "nightly/load_flow.py")
    own_mfhera.ok("create", flow, "--only-yaml", "--output", "manifests/")
    folder = own_mfhera.folder / "manifests"
    names = ["cronworkflow-loadflow.yaml", "workflowtemplate-loadflow.yaml"]
    assert sorted(path.name for path in folder.iterdir()) == names
    own_mfhera.ok("create", "--from", "manifests")
    assert [name for _, name, _ in own_mfhera.stored()] == ["loadflow", "loadflow"]
    script = own_mfhera.folder / flow
    script.write_text(script.read_text().replace("@schedule(", "# @schedule("))
    done = own_mfhera("create", flow, "--only-yaml", "--output", "manifests/")
    assert "cronworkflow-loadflow.yaml belongs to an older version" in done.stderr
    refused(own_mfhera("create", flow, "--only-python", "--output", "manifests/"), "one script")


def test_the_token_in_an_export(own_mfhera: Mfhera) -> None:
    flow = example(own_mfhera, "parameter_flow.py")

    def token(*options: str) -> str:
        found = json.loads(own_mfhera.ok("create", flow, "--only-json", *options))
        return str(found["metadata"]["annotations"]["metaflow/production_token"])

    assert token() == token()
    assert token("--authorize", "production:parameterflow-7-abcd") == "parameterflow-7-abcd"
    own_mfhera.start()
    refused(own_mfhera("create", flow, "--only-json", "--real-token"), "no deployment parameterflow yet")
    own_mfhera.ok("create", flow, "--new-token", "ours")
    assert token("--real-token") == "ours"
    stranger = own_mfhera(
        "create", flow, "--only-json", "--real-token", env={"METAFLOW_USER": "x", "METAFLOW_HOME": "/x"}
    )
    refused(stranger, "--authorize")
    refused(own_mfhera("create", flow, "--real-token"), "needs --only-json")


@pytest.mark.embedded_only("may be found not running")
def test_the_real_token_where_no_server_runs(own_mfhera: Mfhera) -> None:
    flow = example(own_mfhera, "parameter_flow.py")
    refused(own_mfhera("create", flow, "--only-json", "--real-token"), "is not running")


def test_only_who_may_deploy_a_flow_may_deploy_its_export(own_mfhera: Mfhera) -> None:
    flow = example(own_mfhera, "parameter_flow.py")
    token = own_mfhera.json("create", flow, "--json")["namespace"]
    own_mfhera.ok("create", flow, "--only-yaml", "--output", "made.yaml")
    other = {"METAFLOW_USER": "stranger", "METAFLOW_HOME": str(own_mfhera.home / "stranger")}
    refused(own_mfhera("create", "--from", "made.yaml", env=other), "was deployed by tester")
    own_mfhera.ok("create", "--from", "made.yaml", "--authorize", token, env=other)


def test_bindings_are_written_for_kubectl_and_not_deployed(own_mfhera: Mfhera) -> None:
    own_mfhera.take("any_flow.py")
    options = ("any_flow.py", "--events", "workflow-event-binding")
    own_mfhera.ok("create", *options, "--only-yaml", "--output", "made.yaml")
    items = list(yaml.safe_load_all((own_mfhera.folder / "made.yaml").read_text()))
    assert [item["kind"] for item in items] == [
        "WorkflowTemplate",
        "WorkflowEventBinding",
        "WorkflowEventBinding",
    ]
    for item in items[1:]:
        assert faults(item) == []
        assert item["spec"]["submit"]["workflowTemplateRef"] == {"name": "anyflow"}
    first = items[1]["spec"]
    assert first["event"]["selector"] == (
        'payload.name == "any.one" && "x" in payload.payload && payload.payload["x"] != nil'
    )
    must = next(each for each in first["submit"]["arguments"]["parameters"] if each["name"] == "must")
    assert 'payload.payload["x"]' in must["valueFrom"]["event"]
    refused(own_mfhera("create", *options), "kubectl apply")
    refused(own_mfhera("create", "--from", "made.yaml"), "kubectl apply")


def test_a_file_that_holds_no_deployment(mfhera: Mfhera) -> None:
    (mfhera.folder / "made.yaml").write_text("kind: Pod")
    refused(mfhera("create", "--from", "made.yaml"), "Pod", "WorkflowTemplate")


def test_what_does_not_go_with_from(mfhera: Mfhera) -> None:
    mfhera.take("linear_flow.py")
    refused(mfhera("create"), "FLOW.py", "--from")
    refused(mfhera("create", "linear_flow.py", "--from", "x.yaml"), "--from")
    refused(mfhera("create", "--from", "x.yaml"), "x.yaml cannot be read")
    refused(mfhera("create", "--from", "x.yaml", "--max-workers", "3"), "no option but")
    refused(mfhera("create", "--from", "x.yaml", "--with", "retry"), "no option but")


def test_lint_says_what_is_fine_and_what_is_not(mfhera: Mfhera) -> None:
    flow = example(mfhera, "nightly/load_flow.py")
    assert "LoadFlow is fine" in mfhera.ok("lint", flow)
    assert "schedules" in mfhera.json("lint", flow, "--json")["checked"]
    stored = mfhera.stored()
    assert "the CronWorkflow loadflow" in mfhera.ok("create", flow, "--dry-run")
    assert "is fine" in mfhera.python(flow, "hera", "create", "--dry-run").stdout
    assert mfhera.stored() == stored
    script = mfhera.folder / flow
    script.write_text(script.read_text().replace("0 2 * * ? *", "0 2 L * ? *"))
    refused(mfhera("lint", flow), "Argo's cron has no L")
    done = mfhera("lint", flow, "--label", "a b=c")
    assert done.returncode == 2
    assert "not a key" in message(done)


def test_lint_says_what_an_older_argo_cannot_do(mfhera: Mfhera) -> None:
    mfhera.take("deep_flow.py")
    told = "Argo v3.6.19 retries a foreach of more than one step as a whole"
    assert told in mfhera.ok("lint", "deep_flow.py", "--argo-version", "v3.6.19")
    (warning,) = mfhera.json("lint", "deep_flow.py", "--argo-version", "v3.6.19", "--json")["warnings"][:1]
    assert warning.startswith(told)
    assert "as a whole" not in mfhera.ok("lint", "deep_flow.py", "--argo-version", "4.1")
    refused(mfhera("lint", "deep_flow.py", "--argo-version", "3.5.15"), "Argo 3.5.15 is too old", "3.6")
    refused(mfhera("lint", "deep_flow.py", "--argo-version", "new"), "--argo-version new is not a version")
    assert told in mfhera.python("deep_flow.py", "hera", "lint", "--argo-version", "v3.6.19").stdout


def test_operators_settings_become_argos_fields(mfhera: Mfhera) -> None:
    mfhera.take("linear_flow.py")
    toleration = '{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}'
    made = mfhera.json(
        *("create", "linear_flow.py", "--only-json"),
        *("--ttl-after-success", "3600", "--ttl-after-failure", "86400", "--pod-gc", "OnPodSuccess"),
        *(
            "--archive-logs",
            "--priority-class",
            "high",
            "--workflow-priority",
            "5",
            "--workflow-timeout",
            "60",
        ),
        *("--service-account", "runner", "--node-selector", "zone=a", "--node-selector", "disk=ssd"),
        *("--toleration", toleration, "--image-pull-secret", "registry"),
        *("--label", "team=blue", "--annotation", "example.com/cost-centre=one two"),
    )
    spec = made["spec"]
    assert spec["ttlStrategy"] == {"secondsAfterSuccess": 3600, "secondsAfterFailure": 86400}
    assert spec["podGC"] == {"strategy": "OnPodSuccess"}
    assert (spec["archiveLogs"], spec["podPriorityClassName"], spec["priority"]) == (True, "high", 5)
    assert (spec["activeDeadlineSeconds"], spec["serviceAccountName"]) == (60, "runner")
    assert spec["nodeSelector"] == {"zone": "a", "disk": "ssd"}
    assert spec["tolerations"] == [json.loads(toleration)]
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    for place in (made["metadata"], spec["workflowMetadata"], spec["podMetadata"]):
        assert place["labels"]["team"] == "blue"
        assert place["annotations"]["example.com/cost-centre"] == "one two"
    keys = made["metadata"]["annotations"]["metaflow/user_keys"].split(",")
    assert sorted(keys) == ["example.com/cost-centre", "team"]  # which go with this version
    env = {
        "METAFLOW_HERA_TTL_AFTER_SUCCESS": "60",
        "METAFLOW_HERA_NODE_SELECTORS": "zone=a,disk=ssd",
        "METAFLOW_HERA_TOLERATIONS": f"[{toleration}]",
        "METAFLOW_HERA_ARCHIVE_LOGS": "true",
        "METAFLOW_HERA_LABELS": "team=red",
    }
    configured = mfhera.json("create", "linear_flow.py", "--only-json", "--label", "team=blue", env=env)
    assert configured["spec"]["ttlStrategy"] == {"secondsAfterSuccess": 60}
    assert configured["spec"]["nodeSelector"] == spec["nodeSelector"]
    assert configured["spec"]["tolerations"] == spec["tolerations"]
    assert configured["spec"]["archiveLogs"] is True
    assert configured["metadata"]["labels"]["team"] == "blue"  # what the command says goes first


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--ttl-after-success", "-1"], ["--ttl-after-success"]),
        (["--pod-gc", "Never"], ["OnPodCompletion"]),
        (["--node-selector", "zone"], ["KEY=VALUE"]),
        (["--label", "a=b c"], ["63 letters"]),
        (["--label", "-a=b"], ["not a key"]),
        (["--annotation", "a={{x}}"], ["variables"]),
        (["--toleration", "gpu"], ["JSON"]),
        (["--toleration", '{"colour": 1}'], ["JSON"]),
        (["--toleration", '{"key": ["a"]}'], ["--toleration"]),
        (["--toleration", '{"key": "a", "operator": "exists"}'], ["--toleration"]),
        (["--toleration", '{"key": "a", "effect": "noschedule"}'], ["--toleration"]),
        (["--events", "mail"], ["sensor, workflow-event-binding"]),
    ],
)
def test_settings_that_are_not_valid(mfhera: Mfhera, options: list[str], words: list[str]) -> None:
    mfhera.take("linear_flow.py")
    refused(mfhera("create", "linear_flow.py", "--only-json", *options), *words)


def test_a_configured_setting_that_cannot_be_read(mfhera: Mfhera) -> None:
    mfhera.take("linear_flow.py")
    done = mfhera("create", "linear_flow.py", "--only-json", env={"METAFLOW_HERA_TTL_AFTER_SUCCESS": "soon"})
    refused(done, "METAFLOW_HERA_TTL_AFTER_SUCCESS", "'soon'")
