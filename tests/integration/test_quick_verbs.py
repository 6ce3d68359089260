"""What the verbs that only ask the server, or change a run there, do not import."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from harness import USER, Mfhera

PACKAGES = {"metaflow", "hera", "hera.events.models"}
SLOW = {*PACKAGES, "pydantic", "asyncio", "yaml", "croniter", "typing_extensions"}
"""What takes as long to import as such a verb may take, or is imported by what does."""
CODE = f"""
import sys
from metaflow_hera.cli.main import run_command
code = run_command(sys.argv[1:])
print("imported:", *sorted({SLOW!r} & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""
NAME = "quickflow"
NOTES = {
    "metaflow/owner": USER,
    "metaflow/flow_name": "QuickFlow",
    "metaflow/production_token": "quickflow-0-abcd",
    "metaflow/parameters": "{}",
}
LABELS = {"app.kubernetes.io/part-of": "metaflow", "workflows.argoproj.io/workflow-template": NAME}


def template(**step: Any) -> dict[str, Any]:
    return {"entrypoint": "main", "templates": [{"name": "main", **step}]}


WAITS, ENDS = template(suspend={}), template(container={"image": "x", "command": ["false"]})


@pytest.fixture
def quick(mfhera: Mfhera) -> Mfhera:
    """With a deployment and its schedule."""
    for kind, name, what, spec in (
        ("workflow-templates", NAME, "template", WAITS),
        (
            "cron-workflows",
            NAME,
            "cronWorkflow",
            {"schedules": ["0 0 1 1 *"], "workflowSpec": {"workflowTemplateRef": {"name": NAME}}},
        ),
    ):
        mfhera.start()
        if not any(item["metadata"]["name"] == name for item in mfhera.server.listed(kind)):
            labels = {"app.kubernetes.io/part-of": "metaflow"}
            body = {"metadata": {"name": name, "labels": labels, "annotations": NOTES}, "spec": spec}
            mfhera.server.call("POST", kind, json={what: body})
    return mfhera


def a_run(mfhera: Mfhera, spec: dict[str, Any], phase: str) -> str:
    """A run of the deployment, when it is in a phase."""
    metadata = {"name": f"{NAME}-{uuid.uuid4().hex[:5]}", "labels": LABELS, "annotations": NOTES}
    mfhera.server.call("POST", "workflows", json={"workflow": {"metadata": metadata, "spec": spec}})
    mfhera.wait_until(lambda: mfhera.phases(NAME)[f"argo-{metadata['name']}"] == phase)
    return f"argo-{metadata['name']}"


@pytest.mark.embedded_only("makes objects of which nothing is run")
@pytest.mark.parametrize(
    ("words", "of", "imported"),
    [
        ("status {run}", WAITS, set()),
        ("status {run} --json", ENDS, set()),
        ("runs --name quickflow --json", WAITS, set()),
        ("runs --all", None, set()),
        ("list", None, set()),
        ("schedule --name quickflow", None, set()),
        ("open {run}", WAITS, set()),
        ("open --name quickflow", None, set()),
        ("suspend {run}", WAITS, set()),
        ("resume {run}", WAITS, set()),
        ("stop {run} --json", WAITS, set()),
        ("terminate {run}", WAITS, set()),
        ("retry {run}", ENDS, set()),
        ("emit nobody-waits --payload a=1", None, set()),
        ("delete --run {run}", ENDS, set()),
        ("doctor", None, set()),
        ("local start", None, set()),
        ("local status", None, set()),
        ("trigger --name quickflow", None, {"hera"}),
        ("resubmit {run}", WAITS, {"hera"}),
        ("logs {run}", ENDS, {"metaflow"}),
        ("delete --name quickflow", None, set()),
    ],
)
def test_what_a_verb_imports(
    words: str, of: dict[str, Any] | None, imported: set[str], quick: Mfhera
) -> None:
    run = a_run(quick, of, "Running" if of is WAITS else "Failed") if of is not None else ""
    done = quick.cold.python("-c", CODE, *words.format(run=run).split())
    # What is retried fails again, perhaps before the command looks at it.
    assert done.returncode in ((0, 1) if words == "retry {run}" else (0,)), done.stdout + done.stderr
    found = set(done.stderr.splitlines()[-1].partition("imported:")[2].split())
    assert (found & PACKAGES if imported else found) == imported


@pytest.mark.embedded_only("is named as a cluster's server, too")
@pytest.mark.parametrize("words", ["list", "emit nobody-waits"])
def test_a_cluster_needs_no_more(words: str, mfhera: Mfhera) -> None:
    mfhera.start()
    named = {
        "ARGO_SERVER": mfhera.server.url.partition("://")[2],
        "ARGO_SECURE": "false",
        "ARGO_TOKEN": mfhera.server.token,
    }
    done = mfhera.cold.python("-c", CODE, *words.split(), env=named)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.splitlines()[-1].split() == ["imported:"]
    assert "namespace default" in done.stderr
