"""What Hera's client sends: objects that are made or replaced, and runs that are submitted.

Hera parses answers strictly; an answer it cannot parse is still an answer, and a write that Argo has
confirmed is done. So the raw JSON counts here, and Hera's objects are only sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from hera.exceptions import HeraException
from hera.workflows import WorkflowsService
from hera.workflows.models import (
    CreateCronWorkflowRequest,
    SubmitOpts,
    UpdateCronWorkflowRequest,
    WorkflowResubmitRequest,
    WorkflowSubmitRequest,
    WorkflowTemplateCreateRequest,
    WorkflowTemplateLintRequest,
    WorkflowTemplateUpdateRequest,
)
from hera.workflows.models import CronWorkflow as CronModel
from hera.workflows.models import WorkflowTemplate as TemplateModel

from metaflow_hera.argo import answers
from metaflow_hera.argo.calls import Calls
from metaflow_hera.contract.manifest import RESUBMITTED_FROM
from metaflow_hera.contract.objects import JSON, TEMPLATE

if TYPE_CHECKING:
    from hera.events.service import EventsService


class Sender:
    """Sends objects, given as JSON, to a server; every method returns what Argo has made of one.

    It raises what the calls do.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        target = calls.target
        self._place = {
            "host": target.host,
            "verify_ssl": target.verify,
            "token": calls.authorization,
            "namespace": target.namespace,
            "session": calls.session,
        }
        self._namespace = target.namespace
        self._service = WorkflowsService(**self._place)  # type: ignore[arg-type]

    @property
    def _events(self) -> EventsService:
        # Hera's models of Argo Events take as long to import as all of its others, and few calls need them.
        from hera.events.service import EventsService

        return EventsService(**self._place)  # type: ignore[arg-type]

    def create_template(self, template: JSON) -> JSON:
        """Create a workflow template."""
        request = WorkflowTemplateCreateRequest(template=TemplateModel.model_validate(template))
        return self._sent(lambda: self._service.create_workflow_template(request), self._written(template))

    def update_template(self, template: JSON) -> JSON:
        """Replace a workflow template."""
        name = template["metadata"]["name"]
        request = WorkflowTemplateUpdateRequest(name=name, template=TemplateModel.model_validate(template))
        return self._sent(
            lambda: self._service.update_workflow_template(name, request), self._written(template)
        )

    def lint_template(self, template: JSON) -> JSON:
        """Let Argo check a workflow template."""
        request = WorkflowTemplateLintRequest(template=TemplateModel.model_validate(template))
        return self._sent(
            lambda: self._service.lint_workflow_template(request), self._written(template), writes=False
        )

    def create_cron(self, cron: JSON) -> JSON:
        """Create a cron workflow."""
        request = CreateCronWorkflowRequest(cron_workflow=CronModel.model_validate(cron))
        return self._sent(lambda: self._service.create_cron_workflow(request), self._written(cron))

    def update_cron(self, cron: JSON) -> JSON:
        """Replace a cron workflow."""
        name = cron["metadata"]["name"]
        request = UpdateCronWorkflowRequest(name=name, cron_workflow=CronModel.model_validate(cron))
        return self._sent(lambda: self._service.update_cron_workflow(name, request), self._written(cron))

    def create_sensor(self, sensor: JSON) -> JSON:
        """Create a sensor."""
        from hera.events.models import CreateSensorRequest
        from hera.events.models import Sensor as SensorModel

        namespace = sensor["metadata"]["namespace"]
        request = CreateSensorRequest(namespace=namespace, sensor=SensorModel.model_validate(sensor))
        return self._sent(
            lambda: self._events.create_sensor(request, namespace), answers.written(sensor, namespace)
        )

    def update_sensor(self, sensor: JSON) -> JSON:
        """Replace a sensor."""
        from hera.events.models import Sensor as SensorModel
        from hera.events.models import UpdateSensorRequest

        name, namespace = sensor["metadata"]["name"], sensor["metadata"]["namespace"]
        model = SensorModel.model_validate(sensor)
        request = UpdateSensorRequest(name=name, namespace=namespace, sensor=model)
        return self._sent(
            lambda: self._events.update_sensor(name, request, namespace), answers.written(sensor, namespace)
        )

    def submit(self, template: str, name: str, parameters: Sequence[str], annotations: str) -> JSON:
        """Start a workflow from a template."""
        options = SubmitOpts(name=name, parameters=list(parameters) or None, annotations=annotations or None)
        request = WorkflowSubmitRequest(
            resource_kind=TEMPLATE, resource_name=template, submit_options=options
        )
        check = answers.an_object(name, self._namespace)
        return self._sent(lambda: self._service.submit_workflow(request), check)

    def resubmit(self, name: str, parameters: Sequence[str]) -> JSON:
        """Start a new workflow like an earlier one."""
        request = WorkflowResubmitRequest(name=name, parameters=list(parameters) or None)
        check = answers.new_object(self._namespace, RESUBMITTED_FROM, name)
        return self._sent(lambda: self._service.resubmit_workflow(name, request), check)

    def _written(self, sent: JSON) -> answers.Check:
        return answers.written(sent, self._namespace)

    def _sent(self, call: Callable[[], object], check: answers.Check, *, writes: bool = True) -> JSON:
        def sent() -> None:
            # What Hera cannot parse is still an answer, and how it words a refusal does not matter.
            with suppress(HeraException, ValueError, TypeError):
                call()

        return self._calls.answer(sent, check, writes=writes)
