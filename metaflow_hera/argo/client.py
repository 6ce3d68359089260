"""Hera's client of Argo's server, made safe: time-outs, one tree of errors, raw JSON answers.

Hera parses answers strictly; an answer it cannot parse is still an answer, and a write that Argo has
confirmed is done. So the raw JSON counts here, and Hera's objects are only sent.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin

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

from metaflow_hera.argo.executor import MOST_LINES, without_executor
from metaflow_hera.argo.target import Target
from metaflow_hera.contract.objects import JSON, TEMPLATE
from metaflow_hera.errors import (
    ArgoConflict,
    ArgoDenied,
    ArgoError,
    ArgoNotFound,
    ArgoUnreachable,
)

if TYPE_CHECKING:
    from hera.events.service import EventsService
    from requests.adapters import BaseAdapter

T = TypeVar("T")

CONNECT_SECONDS = 4.0
READ_SECONDS = 5.0
LONG_SECONDS = 60.0
"""How long to wait for an answer: a small one, and one to a write or with all nodes of a workflow."""
PAGE = 200
"""How many objects to ask for at once when listing."""
WRITE_ATTEMPTS = 5
"""How often to try a write while others write the same object."""


class _Redirected(requests.RequestException):
    """A server answers with another address. requests would follow it and make a GET of a write."""


class _Session(requests.Session):
    """A session with time-outs that remembers its last answer, and follows no redirect."""

    answer: requests.Response | None = None
    patient = False

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        long = self.patient or str(method).lower() != "get"
        kwargs.setdefault("timeout", (CONNECT_SECONDS, LONG_SECONDS if long else READ_SECONDS))
        self.answer = None
        self.answer = super().request(method, url, *args, **{**kwargs, "allow_redirects": False})
        if self.answer.is_redirect:
            raise _Redirected(urljoin(url, self.answer.headers["Location"]).partition("/api/v1/")[0])
        return self.answer


class ArgoClient:
    """Argo's server at a target. Every method raises ArgoError or one of its kinds.

    `transport` carries the calls instead of `requests`' own connections: a test has a server in its process.
    """

    def __init__(self, target: Target, transport: BaseAdapter | None = None) -> None:
        self.target = target
        self._session = _Session()
        if transport is not None:
            self._session.mount(target.host, transport)
        if target.embedded:
            # Between two processes of this machine no proxy and no .netrc counts.
            self._session.trust_env = False
        self._place = {
            "host": target.host,
            "verify_ssl": target.verify,
            "token": target.token,
            "namespace": target.namespace,
            "session": self._session,
        }
        self._service = WorkflowsService(**self._place)  # type: ignore[arg-type]

    @cached_property
    def _events(self) -> EventsService:
        # Hera's models of Argo Events take as long to import as all of its others, and few calls need them.
        from hera.events.service import EventsService

        return EventsService(**self._place)  # type: ignore[arg-type]

    def template(self, name: str) -> JSON:
        """A workflow template."""
        return self._call(lambda: self._service.get_workflow_template(name))

    def templates(self, selector: str) -> Iterator[JSON]:
        """The workflow templates whose labels match a selector."""
        return self._pages(
            lambda token: self._service.list_workflow_templates(
                label_selector=selector, limit=str(PAGE), continue_=token
            )
        )

    def create_template(self, template: JSON) -> JSON:
        """Create a workflow template from its JSON."""
        request = WorkflowTemplateCreateRequest(template=TemplateModel.model_validate(template))
        return self._call(lambda: self._service.create_workflow_template(request))

    def update_template(self, template: JSON) -> JSON:
        """Replace a workflow template; ArgoConflict if its resourceVersion is no longer current."""
        name = template["metadata"]["name"]
        request = WorkflowTemplateUpdateRequest(name=name, template=TemplateModel.model_validate(template))
        return self._call(lambda: self._service.update_workflow_template(name, request))

    def delete_template(self, name: str) -> None:
        """Delete a workflow template; its runs stay."""
        self._call(lambda: self._service.delete_workflow_template(name))

    def cron(self, name: str) -> JSON:
        """A cron workflow."""
        return self._call(lambda: self._service.get_cron_workflow(name))

    def crons(self, selector: str | None = None) -> Iterator[JSON]:
        """The cron workflows whose labels match a selector, or all. Argo does not page them."""
        answer = self._call(
            lambda: self._service.list_cron_workflows(label_selector=selector), patient=selector is None
        )
        yield from answer.get("items") or ()

    def create_cron(self, cron: JSON) -> JSON:
        """Create a cron workflow from its JSON."""
        request = CreateCronWorkflowRequest(cron_workflow=CronModel.model_validate(cron))
        return self._call(lambda: self._service.create_cron_workflow(request))

    def update_cron(self, cron: JSON) -> JSON:
        """Replace a cron workflow; ArgoConflict if its resourceVersion is no longer current."""
        name = cron["metadata"]["name"]
        request = UpdateCronWorkflowRequest(name=name, cron_workflow=CronModel.model_validate(cron))
        return self._call(lambda: self._service.update_cron_workflow(name, request))

    def delete_cron(self, name: str) -> None:
        """Delete a cron workflow; its workflows stay, if Argo's server passes that on to Kubernetes."""
        self._call(lambda: self._service.delete_cron_workflow(name, propagation_policy="Orphan"))

    def lint_template(self, template: JSON) -> JSON:
        """Let Argo check a workflow template."""
        request = WorkflowTemplateLintRequest(template=TemplateModel.model_validate(template))
        return self._call(lambda: self._service.lint_workflow_template(request))

    def sensor(self, name: str, namespace: str) -> JSON:
        """A sensor of Argo Events, which may be in another namespace than the workflows."""
        return self._call(lambda: self._events.get_sensor(name, namespace))

    def create_sensor(self, sensor: JSON) -> JSON:
        """Create a sensor from its JSON."""
        from hera.events.models import CreateSensorRequest
        from hera.events.models import Sensor as SensorModel

        namespace = sensor["metadata"]["namespace"]
        request = CreateSensorRequest(namespace=namespace, sensor=SensorModel.model_validate(sensor))
        return self._call(lambda: self._events.create_sensor(request, namespace))

    def update_sensor(self, sensor: JSON) -> JSON:
        """Replace a sensor; ArgoConflict if its resourceVersion is no longer current."""
        from hera.events.models import Sensor as SensorModel
        from hera.events.models import UpdateSensorRequest

        name, namespace = sensor["metadata"]["name"], sensor["metadata"]["namespace"]
        model = SensorModel.model_validate(sensor)
        request = UpdateSensorRequest(name=name, namespace=namespace, sensor=model)
        return self._call(lambda: self._events.update_sensor(name, request, namespace))

    def delete_sensor(self, name: str, namespace: str) -> None:
        """Delete a sensor."""
        self._call(lambda: self._events.delete_sensor(name, namespace))

    def send_event(self, event: JSON) -> None:
        """Send an event to Argo's server, for the workflow event bindings that select it."""
        from hera.events.models import Item

        self._call(lambda: self._events.receive_event("", Item(root=event)))

    def submit(self, template: str, options: SubmitOpts) -> JSON:
        """Start a workflow from a template."""
        request = WorkflowSubmitRequest(
            resource_kind=TEMPLATE, resource_name=template, submit_options=options
        )
        return self._call(lambda: self._service.submit_workflow(request))

    def workflow(self, name: str, fields: str | None = None) -> JSON:
        """A workflow, or only some fields of it."""
        return self._call(lambda: self._service.get_workflow(name, fields=fields), patient=fields is None)

    def workflows(self, selector: str, fields: str) -> Iterator[JSON]:
        """Some fields of the workflows whose labels match a selector."""
        return self._pages(
            lambda token: self._service.list_workflows(
                label_selector=selector,
                limit=str(PAGE),
                continue_=token,
                fields=f"metadata.continue,{fields}",
            )
        )

    def suspend(self, name: str) -> JSON:
        """Start no more pods of a workflow; running pods continue."""
        return self._call(lambda: self._service.suspend_workflow(name, WorkflowSuspendRequest(name=name)))

    def resume(self, name: str) -> JSON:
        """Let a suspended workflow continue."""
        return self._call(lambda: self._service.resume_workflow(name, WorkflowResumeRequest(name=name)))

    def terminate(self, name: str) -> JSON:
        """End a workflow and its pods at once."""
        return self._call(lambda: self._service.terminate_workflow(name, WorkflowTerminateRequest(name=name)))

    def stop(self, name: str) -> JSON:
        """End a workflow and its pods; its exit handler still runs."""
        return self._call(lambda: self._service.stop_workflow(name, WorkflowStopRequest(name=name)))

    def retry(self, name: str, parameters: Sequence[str] = ()) -> JSON:
        """Let a failed workflow continue where it failed; `parameters` (NAME=VALUE) replace arguments."""
        request = WorkflowRetryRequest(name=name, parameters=list(parameters) or None)
        return self._call(lambda: self._service.retry_workflow(name, request))

    def resubmit(self, name: str, parameters: Sequence[str] = ()) -> JSON:
        """Start a new workflow like an earlier one; `parameters` (NAME=VALUE) replace arguments."""
        request = WorkflowResubmitRequest(name=name, parameters=list(parameters) or None)
        return self._call(lambda: self._service.resubmit_workflow(name, request))

    def delete_workflow(self, name: str) -> None:
        """Delete a workflow; what still runs of it ends."""
        self._call(lambda: self._service.delete_workflow(name))

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
        with self._told():
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
                    raise self._refused(HeraException(answer.reason))
                for text in answer.iter_lines():
                    if text:
                        its_pod, line = _log_line(text)
                        # The embedded Argo has no executor: there, all lines are the user's.
                        own = line if self.target.embedded else without_executor(line)
                        if own is not None:
                            yield its_pod, own

    def _pages(self, page: Callable[[str | None], object]) -> Iterator[JSON]:
        token: str | None = None
        while True:
            answer = self._call(lambda token=token: page(token))  # type: ignore[misc]
            yield from answer.get("items") or ()
            token = (answer.get("metadata") or {}).get("continue")
            if not token:
                return

    def _call(self, call: Callable[[], object], *, patient: bool = False) -> JSON:
        self._session.patient = patient
        # What Hera cannot parse is still an answer: the raw one decides.
        with self._told(), suppress(ValidationError, ValueError, TypeError):
            call()
        answer = self._session.answer
        if answer is not None and not answer.ok:  # a refusal that Hera cannot parse either
            raise self._refused(HeraException(answer.reason))
        try:
            if answer is not None and isinstance(found := answer.json(), dict):
                return found
        except ValueError:
            pass
        raise ArgoError(f"{self.target} does not answer like Argo: is ARGO_SERVER right?")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Raise what goes wrong inside as errors of this package."""
        try:
            yield
        except HeraException as error:
            raise self._refused(error) from error
        except requests.exceptions.SSLError as error:
            raise ArgoUnreachable(
                f"{self.target} cannot be trusted: {_root_cause(error)}. "
                "Set ARGO_SECURE=false for a server without TLS, "
                "or ARGO_CA_CERT for one with its own certificate authority."
            ) from error
        except requests.exceptions.Timeout as error:
            raise ArgoUnreachable(
                f"{self.target} did not answer in time: is ARGO_SERVER right and the network up?"
            ) from error
        except requests.exceptions.ConnectionError as error:
            hint = "run mfhera local status" if self.target.embedded else "is ARGO_SERVER right?"
            raise ArgoUnreachable(
                f"{self.target} cannot be reached ({_root_cause(error)}): {hint}"
            ) from error
        except _Redirected as error:
            raise ArgoError(
                f"{self.target} redirects to {error}, and nothing was sent there: "
                "set ARGO_SERVER (and ARGO_SECURE) to the address of Argo's server itself."
            ) from error
        except requests.exceptions.RequestException as error:
            # The answer broke off.
            raise ArgoUnreachable(
                f"{self.target} did not complete its answer: {_root_cause(error)}"
            ) from error

    def _refused(self, error: HeraException) -> ArgoError:
        answer = self._session.answer
        status = answer.status_code if answer is not None else 0
        try:
            found = answer.json() if answer is not None else {"message": str(error)}
            inner = found.get("error")  # of a stream
            message = str((inner if isinstance(inner, dict) else found)["message"])
        except (ValueError, KeyError, TypeError, AttributeError):
            message = str(error)
        if status in (401, 403):
            hint = "set ARGO_TOKEN" if self.target.token is None else "is ARGO_TOKEN right and still valid?"
            return ArgoDenied(f"{self.target} denies access ({status}: {message}): {hint}")
        if status in (502, 503, 504):  # from a proxy in front of a server that is down
            return ArgoUnreachable(f"{self.target} is not available ({status}: {message}): try again")
        kind = {404: ArgoNotFound, 409: ArgoConflict}.get(status, ArgoError)
        return kind(f"{self.target} refuses the request: {message}")


def _log_line(text: bytes) -> tuple[str, str]:
    """A line of a log as grpc-gateway streams it. Raises ArgoError for an error that comes as a line."""
    try:
        entry = json.loads(text)
        if "error" in entry:
            raise ArgoError(f"Argo cannot show the rest of the log: {entry['error'].get('message')}")
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
            time.sleep(0.1 * 2**attempt)
    raise AssertionError("unreachable")


def _root_cause(error: BaseException) -> str:
    """The innermost reason of a failed connection, without the layers around it."""
    text = str(error)
    while True:
        inner = error.__cause__ or error.__context__ or getattr(error, "reason", None)
        inner = inner or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        if not isinstance(inner, BaseException):
            return text.rsplit(": ", 1)[-1].strip("\"')") or type(error).__name__
        error, text = inner, str(inner)
