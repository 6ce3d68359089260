"""The server in the tests' own process is the embedded Argo: its guard, its words, its controller."""

from __future__ import annotations

import copy
from urllib.parse import quote

import pytest
from twin import HOST, Twin

from metaflow_hera.argo.starting import Start, submitted
from metaflow_hera.errors import ArgoDenied, ArgoNotFound

TEMPLATE = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "WorkflowTemplate",
    "metadata": {"name": "two", "namespace": "default"},
    "spec": {
        "entrypoint": "main",
        "templates": [
            {"name": "pod", "container": {"image": "busybox", "command": ["true"]}},
            {
                "name": "main",
                "dag": {
                    "tasks": [
                        {"name": "a", "template": "pod"},
                        {"name": "b", "template": "pod", "depends": "a"},
                    ]
                },
            },
        ],
    },
}


def test_a_template_is_stored_as_the_check_of_argo_leaves_it(twin: Twin) -> None:
    """As a real Argo 4.1.2 did: annotations of all pods stay in templates that have some of their own."""
    given = copy.deepcopy(TEMPLATE)
    given["spec"]["podMetadata"] = {"annotations": {"of": "all", "own": "of all"}, "labels": {"of": "all"}}
    given["spec"]["templates"][0]["metadata"] = {"annotations": {"own": "mine"}}
    linted = twin.client.lint_template(copy.deepcopy(given))
    twin.client.create_template(given)
    for answer in (linted, twin.client.template("two")):
        pod, main = answer["spec"]["templates"]
        assert pod["metadata"] == {"annotations": {"own": "mine", "of": "all"}}
        assert not main.get("metadata")


def test_the_token_is_asked_for(twin: Twin) -> None:
    with pytest.raises(ArgoDenied, match="token not valid"):
        twin.connect(token="wrong").template("two")


def test_only_this_machine_may_ask(twin: Twin) -> None:
    elsewhere = twin.connect(host=HOST.replace("127.0.0.1", "argo.example.com"))
    with pytest.raises(ArgoDenied, match=r"answers to 127\.0\.0\.1"):
        elsewhere.template("two")


def test_pods_end_as_the_test_says(twin: Twin) -> None:
    with pytest.raises(ArgoNotFound, match='"two" not found'):
        twin.client.template("two")
    twin.client.create_template(TEMPLATE)
    assert twin.stored() == [("workflow-templates", "two", "1")]
    first, second = (submitted(twin.client, Start("two"))["metadata"]["name"] for _ in range(2))
    assert twin.waiting(first) == ["a"]
    twin.begin(first, "a")
    twin.end(first, "a")
    assert twin.waiting(first) == ["b"]
    twin.finish(first)
    assert twin.workflow(first)["status"]["phase"] == "Succeeded"
    twin.end(second, "a", exit_code=3)
    assert twin.waiting(second) == []
    assert twin.workflow(second)["status"]["phase"] == "Failed"
    twin.client.retry(second)
    assert twin.waiting(second) == ["a"]
    twin.client.terminate(second)
    assert twin.workflow(second)["status"]["phase"] == "Failed"


@pytest.mark.parametrize("namespace", ["a b", "Team", "a.b", "-a", "\u00fc", "x" * 64])
def test_what_can_be_no_namespace_is_none(twin: Twin, namespace: str) -> None:
    nowhere = {**TEMPLATE, "metadata": {"name": "two"}}
    for kind, body in (("workflow-templates", {"template": nowhere}), ("workflows", {"workflow": nowhere})):
        answer = twin.raw("POST", f"{kind}/{quote(namespace)}", body)
        told = f'namespaces "{namespace}" not found'
        assert (answer.status_code, answer.json()["message"]) == (404, told)


@pytest.mark.parametrize("kind", ["labels", "annotations"])
@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("a b", "name part must consist"),
        ("", "name part must consist"),
        ("-a", "name part must consist"),
        ("a/b/c", "prefix part"),
        ("/a", "prefix part"),
        ("a_b/c", "prefix part"),
        ("x" * 64, "no more than 63 bytes"),
    ],
)
def test_keys_that_kubernetes_refuses(twin: Twin, kind: str, key: str, why: str) -> None:
    changed = {**TEMPLATE, "metadata": {**TEMPLATE["metadata"], kind: {key: "x"}}}
    answer = twin.raw("POST", "workflow-templates/default", {"template": changed})
    assert (answer.status_code, why in answer.json()["message"]) == (400, True)
    good = {**TEMPLATE, "metadata": {**TEMPLATE["metadata"], kind: {"example.com/A.b_c": "x", "D": "y"}}}
    assert twin.raw("POST", "workflow-templates/default", {"template": good}).ok
