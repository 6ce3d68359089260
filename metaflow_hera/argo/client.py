"""Argo's server as a client: objects are read and acted upon by plain HTTP, and sent by Hera's client.

Hera takes half a second to be imported, so it is where something is made or submitted, and no sooner.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

from metaflow_hera.argo import answers
from metaflow_hera.argo.calls import Calls
from metaflow_hera.argo.executor import MOST_LINES, without_executor
from metaflow_hera.argo.paths import ARCHIVE, CRONS, EVENTS, SENSORS, TEMPLATES, VERSION, WORKFLOWS, path
from metaflow_hera.argo.permissions import Permission, is_allowed
from metaflow_hera.argo.refusals import said_by
from metaflow_hera.argo.target import Target, resolve_target
from metaflow_hera.argo.versions import check_version
from metaflow_hera.contract.objects import JSON, NOT_JSON
from metaflow_hera.errors import ArgoConflict, ArgoError, ArgoExpired

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter

    from metaflow_hera.argo.sending import Sender

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
        self._calls = Calls(target, self._transport)

    @property
    def _sender(self) -> Sender:
        from metaflow_hera.compat import mend_typing

        mend_typing()
        from metaflow_hera.argo.sending import Sender

        return Sender(self._calls)

    def template(self, name: str) -> JSON:
        """A workflow template."""
        return self._calls.ask("GET", self._path(TEMPLATES, name), self._named(name))

    def templates(self, selector: str) -> Iterator[JSON]:
        """The workflow templates whose labels match a selector."""
        return self._pages(TEMPLATES, {"listOptions.labelSelector": selector}, answers.objects())

    def create_template(self, template: JSON) -> JSON:
        """Create a workflow template from its JSON."""
        return self._sender.create_template(template)

    def update_template(self, template: JSON) -> JSON:
        """Replace a workflow template; ArgoConflict if its resourceVersion is no longer current."""
        return self._sender.update_template(template)

    def delete_template(self, name: str) -> None:
        """Delete a workflow template; its runs stay."""
        self._calls.ask("DELETE", self._path(TEMPLATES, name), answers.nothing)

    def cron(self, name: str) -> JSON:
        """A cron workflow."""
        return self._calls.ask("GET", self._path(CRONS, name), self._named(name))

    def crons(self, selector: str | None = None) -> Iterator[JSON]:
        """The cron workflows whose labels match a selector, or all. Argo does not page them."""
        query = {"listOptions.labelSelector": selector}
        answer = self._calls.ask(
            "GET", self._path(CRONS), answers.objects(), query=query, patient=selector is None
        )
        yield from answer.get("items") or ()

    def create_cron(self, cron: JSON) -> JSON:
        """Create a cron workflow from its JSON."""
        return self._sender.create_cron(cron)

    def update_cron(self, cron: JSON) -> JSON:
        """Replace a cron workflow; ArgoConflict if its resourceVersion is no longer current."""
        return self._sender.update_cron(cron)

    def delete_cron(self, name: str) -> None:
        """Delete a cron workflow; its workflows stay.

        Kubernetes lets go of them first, and deletes the cron workflow a moment after it has answered.
        """
        query = {"deleteOptions.propagationPolicy": "Orphan"}
        self._calls.ask("DELETE", self._path(CRONS, name), answers.nothing, query=query)

    def lint_template(self, template: JSON) -> JSON:
        """Let Argo check a workflow template."""
        return self._sender.lint_template(template)

    def sensor(self, name: str, namespace: str) -> JSON:
        """A sensor of Argo Events, which may be in another namespace than the workflows."""
        return self._calls.ask("GET", path(SENSORS, namespace, name), answers.an_object(name, namespace))

    def sensors(self, namespace: str) -> Iterator[JSON]:
        """The sensors of a namespace. Argo does not page them."""
        answer = self._calls.ask("GET", path(SENSORS, namespace), answers.objects())
        yield from answer.get("items") or ()

    def create_sensor(self, sensor: JSON) -> JSON:
        """Create a sensor from its JSON."""
        return self._sender.create_sensor(sensor)

    def update_sensor(self, sensor: JSON) -> JSON:
        """Replace a sensor; ArgoConflict if its resourceVersion is no longer current."""
        return self._sender.update_sensor(sensor)

    def delete_sensor(self, name: str, namespace: str) -> None:
        """Delete a sensor."""
        self._calls.ask("DELETE", path(SENSORS, namespace, name), answers.nothing)

    def send_event(self, event: JSON) -> None:
        """Send an event to Argo's server, for the workflow event bindings that select it."""
        self._calls.ask("POST", self._path(EVENTS, ""), answers.nothing, body=event)

    def submit(self, template: str, name: str, parameters: Sequence[str] = (), annotations: str = "") -> JSON:
        """Start a workflow from a template, under a name, with parameters and annotations (NAME=VALUE)."""
        return self._sender.submit(template, name, parameters, annotations)

    def workflow(self, name: str, fields: str | None = None) -> JSON:
        """A workflow, or only some fields of it. If Kubernetes no longer has it, that of Argo's archive.

        Raises ArgoError if its nodes are in Argo's database and did not come with it.
        """
        found = self._calls.ask(
            "GET",
            self._path(WORKFLOWS, name),
            answers.an_object(name, self.target.namespace, spec=fields is None),
            query={"fields": fields},
            patient=fields is None,
        )
        status = found.get("status") or {}
        if fields is None and status.get("offloadNodeStatusVersion") and not status.get("nodes"):
            raise ArgoError(
                f"{self.target} does not tell the tasks of {name}, which are in Argo's database (offloaded "
                "node status): ask those who run the cluster whether Argo's server has the controller's "
                "persistence configuration."
            )
        return found

    def workflows(self, selector: str, fields: str) -> Iterator[JSON]:
        """Some fields of the workflows whose labels match a selector."""
        query = {"listOptions.labelSelector": selector, "fields": f"metadata.continue,{fields}"}
        return self._pages(WORKFLOWS, query, answers.objects(spec=False))

    def archived_workflows(self, selector: str) -> Iterator[JSON]:
        """The workflows in Argo's archive whose labels match a selector, without their nodes."""
        query = {"namespace": self.target.namespace, "listOptions.labelSelector": selector}
        return self._pages(ARCHIVE, query, answers.objects(spec=False), at=path(ARCHIVE))

    def retry_archived(
        self, uid: str, name: str, parameters: Sequence[str] = (), restart: str | None = None
    ) -> JSON:
        """The same as `retry`, for a workflow that only the archive has: Kubernetes gets it back."""
        body = {"uid": uid, "namespace": self.target.namespace, **_of_a_retry(parameters, restart)}
        return self._calls.ask("PUT", path(ARCHIVE, uid, "retry"), self._named(name), body=body)

    def delete_archived(self, uid: str) -> None:
        """Delete a workflow from the archive."""
        query = {"namespace": self.target.namespace}
        self._calls.ask("DELETE", path(ARCHIVE, uid), answers.nothing, query=query)

    def suspend(self, name: str) -> JSON:
        """Start no more pods of a workflow; running pods continue."""
        return self._act(name, "suspend")

    def resume(self, name: str) -> JSON:
        """Let a suspended workflow continue."""
        return self._act(name, "resume")

    def terminate(self, name: str) -> JSON:
        """End a workflow and its pods at once."""
        return self._act(name, "terminate")

    def stop(self, name: str) -> JSON:
        """End a workflow and its pods; its exit handler still runs."""
        return self._act(name, "stop")

    def retry(self, name: str, parameters: Sequence[str] = (), restart: str | None = None) -> JSON:
        """Let a failed workflow continue where it failed; `parameters` (NAME=VALUE) replace arguments.

        `restart` is the name of a node that is begun anew, with all below it.
        """
        return self._act(name, "retry", _of_a_retry(parameters, restart))

    def resubmit(self, name: str, parameters: Sequence[str] = ()) -> JSON:
        """Start a new workflow like an earlier one; `parameters` (NAME=VALUE) replace arguments."""
        return self._sender.resubmit(name, parameters)

    def delete_workflow(self, name: str) -> None:
        """Delete a workflow; what still runs of it ends."""
        self._calls.ask("DELETE", self._path(WORKFLOWS, name), answers.nothing)

    def logs(
        self,
        name: str,
        pod: str | None = None,
        *,
        follow: bool = False,
        tail: int | None = None,
        executors: bool = False,
    ) -> Iterator[tuple[str, str]]:
        """The lines that the pods of a workflow wrote, or one of them: the name of the pod, and the line.

        With `tail`, at least so many of the last lines of each. What Argo's executor writes there is left
        out unless `executors` asks for it. With `follow` it waits for new lines, until the workflow has
        ended. Raises ArgoUnreachable if nothing came for a while: calling it again starts with the first
        line.
        """
        query = {"logOptions.container": "main", "logOptions.follow": str(follow).lower()}
        if tail is not None:
            query["logOptions.tailLines"] = str(tail if self.target.embedded else tail + MOST_LINES)
        if pod:
            query["podName"] = pod
        for text in self._calls.lines(self._path(WORKFLOWS, name, "log"), query):
            its_pod, line = _log_line(text)
            # The embedded Argo has no executor: there, all lines are the user's.
            own = line if executors or self.target.embedded else without_executor(line)
            if own is not None:
                yield its_pod, own

    def version(self) -> str:
        """The version of the server, such as v3.6.19. It is asked only if no answer so far has told it."""
        if self._calls.version is None:
            self._calls.version = str(self._calls.ask("GET", path(VERSION), answers.version)["version"])
        return self._calls.version

    def check_version(self) -> None:
        """Raise ArgoTooOld for a server that flows cannot be deployed to, and runs not started at."""
        check_version(self.version(), str(self.target))

    def is_allowed(self, permission: Permission, namespace: str) -> bool | None:
        """Whether this user has a permission; None if no call tells without a change. See `permissions`."""
        return is_allowed(self._calls, permission, namespace)

    @property
    def answered_at(self) -> datetime | None:
        """When the server sent its last answer, by its own clock, to the second; None if it does not say."""
        answer = self._calls.session.answer
        with suppress(ValueError, TypeError, KeyError):
            return parsedate_to_datetime(answer.headers["Date"] if answer is not None else "")
        return None

    def _path(self, kind: str, *parts: str) -> str:
        return path(kind, self.target.namespace, *parts)

    def _act(self, name: str, action: str, given: JSON | None = None) -> JSON:
        """Do one of Argo's actions to a workflow."""
        body = {"name": name, **(given or {})}
        return self._calls.ask("PUT", self._path(WORKFLOWS, name, action), self._named(name), body=body)

    def _named(self, name: str) -> answers.Check:
        return answers.an_object(name, self.target.namespace)

    def _pages(
        self, kind: str, query: dict[str, str], check: answers.Check, at: str | None = None
    ) -> Iterator[JSON]:
        """The objects of a list, asked for page by page, each once.

        A list whose next page has expired is begun again, once.
        """
        token: str | None = None
        seen: set[str] = set()
        begun_again = False
        while True:
            try:
                page = {**query, "listOptions.limit": str(PAGE), "listOptions.continue": token}
                answer = self._calls.ask("GET", at or self._path(kind), check, query=page)
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


def _of_a_retry(parameters: Sequence[str], restart: str | None) -> JSON:
    given: JSON = {"parameters": list(parameters)} if parameters else {}
    return given | ({"restartSuccessful": True, "nodeFieldSelector": f"name={restart}"} if restart else {})


def _log_line(text: bytes) -> tuple[str, str]:
    """A line of a log as grpc-gateway streams it. Raises ArgoError for an error that comes as a line."""
    try:
        entry = json.loads(text)
        if "error" in entry:
            reason = said_by(entry) or "no reason given"
            raise ArgoError(f"Argo cannot show the rest of the log: {reason}")
        return str(entry["result"].get("podName", "")), str(entry["result"].get("content", ""))
    except (*NOT_JSON, KeyError, TypeError, AttributeError) as error:
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
