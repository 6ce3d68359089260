"""Hera's own client against the embedded Argo: every call that this project needs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hera.exceptions import AlreadyExists, NotFound
from hera.workflows import (
    DAG,
    Container,
    CronWorkflow,
    Parameter,
    Task,
    Workflow,
    WorkflowsService,
    WorkflowTemplate,
)
from hera.workflows import models as m

from .conftest import Argo


@pytest.fixture(scope="module")
def service(argo: Argo) -> Iterator[WorkflowsService]:
    with WorkflowsService(host=f"{argo.server.url}/", token=argo.server.token, namespace="hera") as client:
        yield client


def template(
    service: WorkflowsService, name: str, command: str = "echo {{inputs.parameters.text}}"
) -> WorkflowTemplate:
    with WorkflowTemplate(
        name=name,
        namespace="hera",
        entrypoint="main",
        arguments=[Parameter(name="text", value="hello")],
        labels={"kind": "test"},
        workflows_service=service,
    ) as made:
        say = Container(
            name="say", image="busybox", command=["sh", "-c"], args=[command], inputs=[Parameter(name="text")]
        )
        with DAG(name="main"):
            first = Task(name="a", template=say, arguments={"text": "{{workflow.parameters.text}}"})
            first >> Task(name="b", template=say, arguments={"text": "bye"})
    return made


def test_a_template_lives_through_hera(service: WorkflowsService) -> None:
    made = template(service, "life")
    assert made.lint().metadata.name == "life"
    created = made.create()
    with pytest.raises(AlreadyExists):
        made.create()
    assert service.get_workflow_template("life").metadata.uid == created.metadata.uid
    updated = made.update()
    assert updated.metadata.uid == created.metadata.uid
    listed = service.list_workflow_templates(label_selector="kind in (test, other)")
    assert "life" in [item.metadata.name for item in listed.items]
    service.delete_workflow_template("life")
    with pytest.raises(NotFound):
        service.get_workflow_template("life")


def test_a_run_through_hera(service: WorkflowsService) -> None:
    template(service, "run").create()
    request = m.WorkflowSubmitRequest(
        resource_kind="WorkflowTemplate",
        resource_name="run",
        submit_options=m.SubmitOpts(parameters=["text=typed"], labels="a=b", generate_name="run-x-"),
    )
    made = service.submit_workflow(request)
    assert made.metadata.name.startswith("run-x-")
    ended = _wait(service, made.metadata.name)
    assert ended.status.phase == "Succeeded"
    assert ended.spec.arguments.parameters[0].value == "typed"
    again = service.resubmit_workflow(made.metadata.name, m.WorkflowResubmitRequest(name=made.metadata.name))
    assert _wait(service, again.metadata.name).status.phase == "Succeeded"
    listed = service.list_workflows(label_selector="workflows.argoproj.io/workflow-template=run")
    assert {item.metadata.name for item in listed.items} == {made.metadata.name, again.metadata.name}
    service.delete_workflow(again.metadata.name)
    with pytest.raises(NotFound):
        service.get_workflow(again.metadata.name)


def test_one_log_line_through_hera(service: WorkflowsService) -> None:
    with Workflow(name="log", namespace="hera", entrypoint="say", workflows_service=service) as workflow:
        Container(name="say", image="busybox", command=["echo", "one line"])
    workflow.create()
    _wait(service, "log")
    # Hera reads a single answer, and not into its wrapper: that it takes a stream of one line is all it can.
    service.workflow_logs("log", container="main")
    service.pod_logs("log", "log", container="main")


def test_acting_on_a_run_through_hera(service: WorkflowsService) -> None:
    template(service, "act", "sleep 60").create()
    body = m.WorkflowSubmitRequest(resource_kind="WorkflowTemplate", resource_name="act")
    for act in ("stop", "terminate"):
        name = service.submit_workflow(body).metadata.name
        service.suspend_workflow(name, m.WorkflowSuspendRequest(name=name))
        assert service.get_workflow(name).spec.suspend
        service.resume_workflow(name, m.WorkflowResumeRequest(name=name))
        assert not service.get_workflow(name).spec.suspend
        if act == "stop":
            service.stop_workflow(name, m.WorkflowStopRequest(name=name))
        else:
            service.terminate_workflow(name, m.WorkflowTerminateRequest(name=name))
        assert _wait(service, name).status.phase == "Failed"
    retried = service.retry_workflow(name, m.WorkflowRetryRequest(name=name))
    assert retried.status.phase == "Running"
    service.terminate_workflow(name, m.WorkflowTerminateRequest(name=name))
    _wait(service, name)


def test_a_cron_workflow_through_hera(service: WorkflowsService) -> None:
    with CronWorkflow(
        name="nightly", namespace="hera", schedules=["0 3 * * *"], timezone="Europe/Paris", entrypoint="say",
        workflows_service=service,
    ) as cron:  # fmt: skip
        Container(name="say", image="busybox", command=["true"])
    cron.create()
    assert service.suspend_cron_workflow("nightly", m.CronWorkflowSuspendRequest(name="nightly")).spec.suspend
    assert not service.resume_cron_workflow(
        "nightly", m.CronWorkflowResumeRequest(name="nightly")
    ).spec.suspend
    assert [item.metadata.name for item in service.list_cron_workflows().items] == ["nightly"]
    assert cron.update().spec.schedules == ["0 3 * * *"]
    service.delete_cron_workflow("nightly")


def test_facts_about_the_server(service: WorkflowsService) -> None:
    assert service.get_version().version.startswith("v4.")
    assert service.get_info().managed_namespace
    assert service.get_user_info() is not None


def test_namespaces_are_separate(service: WorkflowsService, argo: Argo) -> None:
    template(service, "apart").create()
    with pytest.raises(NotFound):
        service.get_workflow_template("apart", namespace="elsewhere")


def _wait(service: WorkflowsService, name: str) -> m.Workflow:
    for _ in range(600):
        workflow = service.get_workflow(name)
        if workflow.status.finished_at:
            return workflow
        time.sleep(0.05)
    raise AssertionError(workflow.status)
