"""Hera's client of Argo's server, made safe: time-outs, one tree of errors, raw JSON answers.

Hera parses answers strictly; an answer it cannot parse is still an answer, and a write that Argo has
confirmed is done. So the raw JSON counts here, and Hera's objects are only sent.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import requests
from hera.exceptions import HeraException
from hera.workflows import WorkflowsService
from hera.workflows.models import (
    CreateCronWorkflowRequest,
    SubmitOpts,
    UpdateCronWorkflowRequest,
    WorkflowResubmitRequest,
    WorkflowResumeRequest,
    WorkflowRetryRequest,
    WorkflowStopRequest,
    WorkflowSubmitRequest,
    WorkflowSuspendRequest,
    WorkflowTemplateCreateRequest,
    WorkflowTemplateLintRequest,
    WorkflowTemplateUpdateRequest,
    WorkflowTerminateRequest,
)
from hera.workflows.models import CronWorkflow as CronModel
from hera.workflows.models import WorkflowTemplate as TemplateModel
from pydantic import ValidationError
from urllib3.exceptions import InsecureRequestWarning

from metaflow_hera.argo import answers
from metaflow_hera.argo.executor import MOST_LINES, without_executor
from metaflow_hera.argo.refusals import not_argos, refused, said_by, unreachable
from metaflow_hera.argo.session import CONNECT_SECONDS, LONG_SECONDS, Session
from metaflow_hera.argo.target import Target, resolve_target
from metaflow_hera.contract.manifest import RESUBMITTED_FROM
from metaflow_hera.contract.objects import JSON, TEMPLATE
from metaflow_hera.errors import ArgoConflict, ArgoError, ArgoExpired

if TYPE_CHECKING:
    from hera.events.service import EventsService
    from requests.adapters import BaseAdapter

T = TypeVar("T")

PAGE = 200
"""How many objects to ask for at once when listing."""
WRITE_ATTEMPTS = 5
"""How often to try a write while others write the same object."""
CONFLICT_PAUSE = 0.1
"""The seconds before the second of these tries; before each further one twice as many."""


class ArgoClient:
    """Argo's server at a target. Every method raises ArgoError or one of its kinds.

    `transport` carries the calls instead of `requests`' own connections: a test has a server in its process.
    """

    def __init__(self, target: Target, transport: BaseAdapter | None = None) -> None:
        self._transport = transport
        self._connect(target)

    def revive(self) -> None:
        """Start the embedded Argo again if it is the server and has ended. Raises LocalServerError."""
        if self.target.embedded and self._transport is None:
            self._connect(resolve_target(start=True))

    def _connect(self, target: Target) -> None:
        self.target = target
        self._session = Session()
        if self._transport is not None:
            self._session.mount(target.host, self._transport)
        if target.embedded:
            # Between two processes of this machine no proxy and no .netrc counts.
            self._session.trust_env = False
        if target.verify is False:  # as the user has asked for: no need to be told at each call
            warnings.simplefilter("ignore", InsecureRequestWarning)
        self._place = {
            "host": target.host,
            "verify_ssl": target.verify,
            "token": target.token,
            "namespace": target.namespace,
            "session": self._session,
        }
        self._service = WorkflowsService(**self._place)  # type: ignore[arg-type]

    @property
    def _events(self) -> EventsService:
        # Hera's models of Argo Events take as long to import as all of its others, and few calls need them.
        from hera.events.service import EventsService

        return EventsService(**self._place)  # type: ignore[arg-type]

    def template(self, name: str) -> JSON:
        """A workflow template."""
        return self._call(lambda: self._service.get_workflow_template(name), self._named(name))

    def templates(self, selector: str) -> Iterator[JSON]:
        """The workflow templates whose labels match a selector."""
        return self._pages(
            lambda token: self._service.list_workflow_templates(
                label_selector=selector, limit=str(PAGE), continue_=token
            ),
            answers.objects(),
        )

    def create_template(self, template: JSON) -> JSON:
        """Create a workflow template from its JSON."""
        request = WorkflowTemplateCreateRequest(template=TemplateModel.model_validate(template))
        return self._call(lambda: self._service.create_workflow_template(request), self._written(template))

    def update_template(self, template: JSON) -> JSON:
        """Replace a workflow template; ArgoConflict if its resourceVersion is no longer current."""
        name = template["metadata"]["name"]
        request = WorkflowTemplateUpdateRequest(name=name, template=TemplateModel.model_validate(template))
        return self._call(
            lambda: self._service.update_workflow_template(name, request), self._written(template)
        )

    def delete_template(self, name: str) -> None:
        """Delete a workflow template; its runs stay."""
        self._call(lambda: self._service.delete_workflow_template(name), answers.nothing)

    def cron(self, name: str) -> JSON:
        """A cron workflow."""
        return self._call(lambda: self._service.get_cron_workflow(name), self._named(name))

    def crons(self, selector: str | None = None) -> Iterator[JSON]:
        """The cron workflows whose labels match a selector, or all. Argo does not page them."""
        answer = self._call(
            lambda: self._service.list_cron_workflows(label_selector=selector),
            answers.objects(),
            patient=selector is None,
        )
        yield from answer.get("items") or ()

    def create_cron(self, cron: JSON) -> JSON:
        """Create a cron workflow from its JSON."""
        request = CreateCronWorkflowRequest(cron_workflow=CronModel.model_validate(cron))
        return self._call(lambda: self._service.create_cron_workflow(request), self._written(cron))

    def update_cron(self, cron: JSON) -> JSON:
        """Replace a cron workflow; ArgoConflict if its resourceVersion is no longer current."""
        name = cron["metadata"]["name"]
        request = UpdateCronWorkflowRequest(name=name, cron_workflow=CronModel.model_validate(cron))
        return self._call(lambda: self._service.update_cron_workflow(name, request), self._written(cron))

    def delete_cron(self, name: str) -> None:
        """Delete a cron workflow; its workflows stay.

        Kubernetes lets go of them first, and deletes the cron workflow a moment after it has answered.
        """
        self._call(
            lambda: self._service.delete_cron_workflow(name, propagation_policy="Orphan"), answers.nothing
        )

    def lint_template(self, template: JSON) -> JSON:
        """Let Argo check a workflow template."""
        request = WorkflowTemplateLintRequest(template=TemplateModel.model_validate(template))
        return self._call(
            lambda: self._service.lint_workflow_template(request), self._written(template), writes=False
        )

    def sensor(self, name: str, namespace: str) -> JSON:
        """A sensor of Argo Events, which may be in another namespace than the workflows."""
        return self._call(
            lambda: self._events.get_sensor(name, namespace), answers.an_object(name, namespace)
        )

    def sensors(self, namespace: str) -> Iterator[JSON]:
        """The sensors of a namespace. Argo does not page them."""
        answer = self._call(lambda: self._events.list_sensors(namespace), answers.objects())
        yield from answer.get("items") or ()

    def create_sensor(self, sensor: JSON) -> JSON:
        """Create a sensor from its JSON."""
        from hera.events.models import CreateSensorRequest
        from hera.events.models import Sensor as SensorModel

        namespace = sensor["metadata"]["namespace"]
        request = CreateSensorRequest(namespace=namespace, sensor=SensorModel.model_validate(sensor))
        return self._call(
            lambda: self._events.create_sensor(request, namespace), answers.written(sensor, namespace)
        )

    def update_sensor(self, sensor: JSON) -> JSON:
        """Replace a sensor; ArgoConflict if its resourceVersion is no longer current."""
        from hera.events.models import Sensor as SensorModel
        from hera.events.models import UpdateSensorRequest

        name, namespace = sensor["metadata"]["name"], sensor["metadata"]["namespace"]
        model = SensorModel.model_validate(sensor)
        request = UpdateSensorRequest(name=name, namespace=namespace, sensor=model)
        return self._call(
            lambda: self._events.update_sensor(name, request, namespace), answers.written(sensor, namespace)
        )

    def delete_sensor(self, name: str, namespace: str) -> None:
        """Delete a sensor."""
        self._call(lambda: self._events.delete_sensor(name, namespace), answers.nothing)

    def send_event(self, event: JSON) -> None:
        """Send an event to Argo's server, for the workflow event bindings that select it."""
        from hera.events.models import Item

        self._call(lambda: self._events.receive_event("", Item(root=event)), answers.nothing)

    def submit(self, template: str, options: SubmitOpts) -> JSON:
        """Start a workflow from a template, under the name in the options."""
        request = WorkflowSubmitRequest(
            resource_kind=TEMPLATE, resource_name=template, submit_options=options
        )
        return self._call(lambda: self._service.submit_workflow(request), self._named(str(options.name)))

    def workflow(self, name: str, fields: str | None = None) -> JSON:
        """A workflow, or only some fields of it."""
        return self._call(
            lambda: self._service.get_workflow(name, fields=fields),
            answers.an_object(name, self.target.namespace, spec=fields is None),
            patient=fields is None,
        )

    def workflows(self, selector: str, fields: str) -> Iterator[JSON]:
        """Some fields of the workflows whose labels match a selector."""
        return self._pages(
            lambda token: self._service.list_workflows(
                label_selector=selector,
                limit=str(PAGE),
                continue_=token,
                fields=f"metadata.continue,{fields}",
            ),
            answers.objects(spec=False),
        )

    def suspend(self, name: str) -> JSON:
        """Start no more pods of a workflow; running pods continue."""
        request = WorkflowSuspendRequest(name=name)
        return self._call(lambda: self._service.suspend_workflow(name, request), self._named(name))

    def resume(self, name: str) -> JSON:
        """Let a suspended workflow continue."""
        request = WorkflowResumeRequest(name=name)
        return self._call(lambda: self._service.resume_workflow(name, request), self._named(name))

    def terminate(self, name: str) -> JSON:
        """End a workflow and its pods at once."""
        request = WorkflowTerminateRequest(name=name)
        return self._call(lambda: self._service.terminate_workflow(name, request), self._named(name))

    def stop(self, name: str) -> JSON:
        """End a workflow and its pods; its exit handler still runs."""
        request = WorkflowStopRequest(name=name)
        return self._call(lambda: self._service.stop_workflow(name, request), self._named(name))

    def retry(self, name: str, parameters: Sequence[str] = (), restart: str | None = None) -> JSON:
        """Let a failed workflow continue where it failed; `parameters` (NAME=VALUE) replace arguments.

        `restart` is the name of a node that is begun anew, with all below it.
        """
        request = WorkflowRetryRequest(
            name=name,
            parameters=list(parameters) or None,
            restart_successful=True if restart else None,
            node_field_selector=f"name={restart}" if restart else None,
        )
        return self._call(lambda: self._service.retry_workflow(name, request), self._named(name))

    def resubmit(self, name: str, parameters: Sequence[str] = ()) -> JSON:
        """Start a new workflow like an earlier one; `parameters` (NAME=VALUE) replace arguments."""
        request = WorkflowResubmitRequest(name=name, parameters=list(parameters) or None)
        return self._call(
            lambda: self._service.resubmit_workflow(name, request),
            answers.new_object(self.target.namespace, RESUBMITTED_FROM, name),
        )

    def delete_workflow(self, name: str) -> None:
        """Delete a workflow; what still runs of it ends."""
        self._call(lambda: self._service.delete_workflow(name), answers.nothing)

    def logs(
        self, name: str, pod: str | None = None, *, follow: bool = False, tail: int | None = None
    ) -> Iterator[tuple[str, str]]:
        """The lines that the pods of a workflow wrote, or one of them: the name of the pod, and the line.

        With `tail`, at least so many of the last lines of each. What Argo's executor writes there is left
        out. With `follow` it waits for new lines, until the workflow has ended. Raises ArgoUnreachable if
        nothing came for a while: calling it again starts with the first line.
        """
        # Hera's own call reads a single line, this one reads them all.
        params = {"logOptions.container": "main", "logOptions.follow": str(follow).lower()}
        if tail is not None:
            params["logOptions.tailLines"] = str(tail if self.target.embedded else tail + MOST_LINES)
        with self._told(writes=False):
            answer = self._session.get(
                f"{self.target.host}api/v1/workflows/{self.target.namespace}/{name}/log",
                params={**params, "podName": pod} if pod else params,
                headers={"Authorization": self._service.token},
                timeout=(CONNECT_SECONDS, LONG_SECONDS),
                verify=self.target.verify,
                stream=True,
            )
            with answer:
                if not answer.ok:
                    raise refused(self.target, "GET", answer)
                for text in answer.iter_lines():
                    if text:
                        its_pod, line = _log_line(text)
                        # The embedded Argo has no executor: there, all lines are the user's.
                        own = line if self.target.embedded else without_executor(line)
                        if own is not None:
                            yield its_pod, own

    def version(self) -> str:
        """The version of the server, such as v3.6.19."""
        return str(self._call(self._service.get_version, answers.version)["version"])

    def _named(self, name: str) -> answers.Check:
        return answers.an_object(name, self.target.namespace)

    def _written(self, sent: JSON) -> answers.Check:
        return answers.written(sent, self.target.namespace)

    def _pages(self, page: Callable[[str | None], object], check: answers.Check) -> Iterator[JSON]:
        """The objects of a list, each once. A list whose next page has expired is begun again, once."""
        token: str | None = None
        seen: set[str] = set()
        begun_again = False
        while True:
            try:
                answer = self._call(lambda token=token: page(token), check)  # type: ignore[misc]
            except ArgoExpired:
                if token is None or begun_again:
                    raise
                token, begun_again = None, True
                continue
            for item in answer.get("items") or ():
                if (name := item["metadata"]["name"]) not in seen:
                    seen.add(name)
                    yield item
            token = (answer.get("metadata") or {}).get("continue")
            if not token:
                return

    def _call(
        self, call: Callable[[], object], check: answers.Check, *, patient: bool = False, writes: bool = True
    ) -> JSON:
        """The answer to a call, if it is what was asked for; `writes` is false for a POST that only asks."""
        self._session.patient = patient
        # What Hera cannot parse is still an answer, and how it words a refusal does not matter.
        with self._told(writes), suppress(HeraException, ValidationError, ValueError, TypeError):
            call()
        answer = self._session.answer
        if answer is None:
            raise ArgoError(f"{self.target} cannot be asked: is ARGO_SERVER right?")
        method = self._session.method if writes else "GET"
        if not answer.ok:
            raise refused(self.target, method, answer)
        with suppress(ValueError):
            found = answer.json()
            if check(found):
                return found  # type: ignore[no-any-return]
        raise not_argos(self.target, method, answer)

    @contextmanager
    def _told(self, writes: bool) -> Iterator[None]:
        """Raise what goes wrong on the way as errors of this package."""
        try:
            yield
        except requests.exceptions.RequestException as error:
            raise unreachable(self.target, self._session.method if writes else "GET", error) from error


def _log_line(text: bytes) -> tuple[str, str]:
    """A line of a log as grpc-gateway streams it. Raises ArgoError for an error that comes as a line."""
    try:
        entry = json.loads(text)
        if "error" in entry:
            reason = said_by(entry) or "no reason given"
            raise ArgoError(f"Argo cannot show the rest of the log: {reason}")
        return str(entry["result"].get("podName", "")), str(entry["result"].get("content", ""))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArgoError("The server does not send logs like Argo: is ARGO_SERVER right?") from error


def with_retries(change: Callable[[], T]) -> T:
    """Do a read and a write that depends on it; repeat both if somebody else wrote in between."""
    for attempt in range(WRITE_ATTEMPTS):
        try:
            return change()
        except ArgoConflict:
            if attempt == WRITE_ATTEMPTS - 1:
                raise
            time.sleep(CONFLICT_PAUSE * 2**attempt)
    raise AssertionError("unreachable")
