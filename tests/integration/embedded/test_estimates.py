"""How long a workflow is expected to take."""

from __future__ import annotations

from .conftest import Argo, pod_spec


def test_the_last_success_of_a_template_tells_how_long_the_next_one_takes(argo: Argo) -> None:
    template = {"metadata": {"name": "slow"}, "spec": pod_spec("sleep 2")}
    argo.call("POST", "/workflow-templates/argo", {"template": template})
    body = {"resourceKind": "WorkflowTemplate", "resourceName": "slow"}

    def submit() -> str:
        return str(argo.call("POST", "/workflows/argo/submit", body)["metadata"]["name"])

    first = argo.end(submit())
    assert "estimatedDuration" not in first["status"]
    name = submit()
    second = argo.until(name, lambda workflow: workflow["status"].get("nodes"))
    assert second["status"]["estimatedDuration"] >= 2
    assert second["status"]["nodes"][name]["estimatedDuration"] >= 2
    assert argo.end(argo.run(pod_spec("true")))["status"].get("estimatedDuration") is None
