"""A run of doctor's own: what can be seen from within a pod alone, and permissions that a change tells of.

Whatever it makes at the server it deletes again. In the datastore the code package and one small task remain.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.permissions import OF_DEPLOYERS, can_be_asked, is_denial
from metaflow_hera.argo.refusals import denied_permission
from metaflow_hera.argo.starting import Start, random_end, submit_as
from metaflow_hera.contract.objects import JSON
from metaflow_hera.errors import ArgoError, ArgoNotFound, MetaflowHeraError
from metaflow_hera.metaflow_api.light.configuration import default_datastore, setting
from metaflow_hera.operations.health import permissions
from metaflow_hera.operations.health.findings import Finding, Part
from metaflow_hera.operations.health.pod_report import Pod, of_image, told

T = TypeVar("T")

PART = Part("pods")
RUN, RESULTS, IMAGE, DATASTORE = "run", "task results", "image", "datastore from a pod"
ENDED = ("Succeeded", "Failed", "Error")
PAUSE = 1.0
"""The seconds between two looks at the run."""
RETRY_ALONE = "delete pods"
ACCOUNT = (
    "Let pods run as an account that may: mfhera doctor --print rbac | kubectl apply -f -, "
    "then METAFLOW_KUBERNETES_SERVICE_ACCOUNT with the one that it makes for pods."
)
CAUSES = (
    # What is in the message of a pod that fails, what is then wrong, and what to do.
    (r"workflowtaskresults.*forbidden|forbidden.*workflowtaskresults", RESULTS, ACCOUNT),
    (r"serviceaccount.*not found", RUN, "Set METAFLOW_KUBERNETES_SERVICE_ACCOUNT to one of the namespace."),
    (r"secret.*not found", RUN, "Set METAFLOW_KUBERNETES_SECRETS to secrets of the namespace."),
    (
        r"ImagePull|ErrImage|InvalidImageName|pull access|manifest unknown",
        IMAGE,
        "Check METAFLOW_KUBERNETES_CONTAINER_IMAGE, _REGISTRY and _IMAGE_PULL_SECRETS.",
    ),
    (
        r"executable file not found|no such file or directory",
        IMAGE,
        "Use an image with Python: mfhera doctor --print image has one.",
    ),
    (
        r"No module named pip|pip.* returned non-zero|Could not find a version",
        IMAGE,
        "Use an image that has what the datastore needs: mfhera doctor --print image.",
    ),
    (
        r"code package .*could not be fetched|credentials|AccessDenied|NoSuchBucket|S3",
        DATASTORE,
        "Give pods access: mfhera doctor --print storage, "
        "then METAFLOW_KUBERNETES_SECRETS=metaflow-datastore.",
    ),
)


def findings(client: ArgoClient, datastore: str | None, seconds: float) -> Iterator[Finding]:
    """Make a run, look at it, delete it. `seconds` is how long it may take."""
    from metaflow_hera.operations.health.probe_template import template

    name = f"mfhera-doctor-{random_end()}"
    try:
        made = template(name, datastore or default_datastore(), client.target, seconds)
    except MetaflowHeraError as error:
        yield PART.failed(RUN, f"it cannot be made: {error}")
        return
    yield from Probe(client, made, seconds).findings()


class Probe:
    """One run, the objects that it needs, and what was found with them."""

    def __init__(self, client: ArgoClient, template: JSON, seconds: float) -> None:
        self._client, self._template, self._seconds = client, template, seconds
        self._name = template["metadata"]["name"]
        self._tries = _Tries(client.target.embedded)
        self._to_delete: list[tuple[str, str, Callable[[str], None]]] = []

    def findings(self) -> Iterator[Finding]:
        """Make the run, look at it, delete it."""
        try:
            yield from self._look()
        except ArgoError as error:
            yield PART.failed(RUN, str(error))
        finally:
            self._delete()
        yield from self._tries.findings()
        for kind, name, _ in self._to_delete:
            mend = f"kubectl -n {self._client.target.namespace} delete {kind} {name}"
            yield PART.warning(f"{kind} {name}", "it is still there", mend)

    def _look(self) -> Iterator[Finding]:
        client, name = self._client, self._name
        made = self._tries.needed("create workflowtemplates", lambda: client.create_template(self._template))
        if made is None:
            yield from PART.not_checked("its template cannot be created", RUN)
            return
        self._to_delete.append(("workflowtemplates", name, client.delete_template))
        run = self._start("run", self._tries.needed)
        if run is None:
            yield from PART.not_checked("it cannot be started", RUN)
            return
        workflow = self._ended(run)
        # To follow asks for more; of a run that has not ended that would not end either.
        followed = _has_ended(workflow)
        lines = self._try(
            "watch workflows" if followed else "list pods",
            lambda: [line for _, line in client.logs(run, follow=followed)],
        )
        if lines is not None:
            self._tries.had.update({"list pods", "watch pods"})
        pod = told(lines or ())
        yield from of_run(workflow, pod, self._seconds, embedded=client.target.embedded)
        if pod is not None:
            self._tries.had.add("get pods/log")
        elif lines is not None and _phase(workflow) == "Succeeded":
            self._tries.denied.add("get pods/log")  # Argo's server then sends nothing, and no error
        if not client.target.embedded:
            self._ask_for_permissions()

    def _ask_for_permissions(self) -> None:
        client, name = self._client, self._name
        second = self._start("second", self._try)
        if second is not None:
            self._try("update workflows", lambda: client.suspend(second))
            self._try("patch workflows", lambda: client.terminate(second))
        cron = {
            "metadata": {"name": name, "namespace": client.target.namespace},
            "spec": {
                "schedules": ["0 0 1 1 *"],
                "suspend": True,
                "workflowSpec": {"workflowTemplateRef": {"name": name}},
            },
        }
        stored = self._try("create cronworkflows", lambda: client.create_cron(cron))
        if stored is not None:
            self._to_delete.append(("cronworkflows", name, client.delete_cron))
            changed = {**stored, "spec": {**stored["spec"], "schedules": ["0 0 2 1 *"]}}
            self._try("update cronworkflows", lambda: client.update_cron(changed))

    def _start(self, end: str, attempt: Callable[[str, Callable[[], JSON]], JSON | None]) -> str | None:
        run = f"{self._name}-{end}"
        if attempt("create workflows", lambda: submit_as(self._client, Start(self._name), run)) is None:
            return None
        self._to_delete.append(("workflows", run, self._client.delete_workflow))
        return run

    def _ended(self, run: str) -> JSON:
        last = time.monotonic() + self._seconds
        while True:
            workflow = self._client.workflow(run)
            if _has_ended(workflow) or time.monotonic() > last:
                return workflow
            time.sleep(PAUSE)

    def _delete(self) -> None:
        """Delete all that was made, the newest first."""
        for each in reversed(self._to_delete[:]):
            kind, name, delete = each

            def gone(name: str = name, delete: Callable[[str], None] = delete) -> bool:
                with suppress(ArgoNotFound):
                    delete(name)
                return True

            if self._try(f"delete {kind}", gone):
                self._to_delete.remove(each)

    def _try(self, permission: str, call: Callable[[], T]) -> T | None:
        return self._tries.one(permission, call)


class _Tries:
    """Which permissions were there, by what was done."""

    def __init__(self, embedded: bool) -> None:
        self._embedded = embedded
        self.had: set[str] = set()
        self.denied: set[str] = set()
        self._unclear: dict[str, str] = {}

    def one(self, permission: str, call: Callable[[], T]) -> T | None:
        """Do what needs a permission; None if it was not done."""
        try:
            return self.needed(permission, call)
        except ArgoError as error:
            self._unclear[permission] = str(error)
            return None

    def needed(self, permission: str, call: Callable[[], T]) -> T | None:
        """Do what the run cannot do without; None if it is denied. Raises ArgoError for another reason."""
        try:
            done = call()
        except ArgoError as error:
            denied = denied_permission(str(error))
            if denied is None and not is_denial(error):
                raise
            self.denied.add(denied or permission)
            return None
        self.had.add(permission)
        return done

    def findings(self) -> Iterator[Finding]:
        """The permissions that no call tells of without a change."""
        if self._embedded:
            return
        part = permissions.PART
        for permission in OF_DEPLOYERS:
            name = str(permission)
            if name in self.denied:
                yield permissions.denied(part, permission, "rbac")
            elif name in self._unclear:
                yield from part.not_checked(self._unclear[name], name)
            elif can_be_asked(permission):
                continue
            elif name in self.had:
                yield part.ok(name, "tried")
            elif name == RETRY_ALONE:
                yield from part.not_checked("mfhera retry of a failed run alone asks for it", name)
            else:
                yield from part.not_checked("the run did not come to it", name)


def of_run(workflow: JSON, pod: Pod | None, seconds: float, *, embedded: bool) -> Iterator[Finding]:
    """What a run tells of pods, and what its pod has told of itself."""
    status, phase = workflow.get("status") or {}, _phase(workflow)
    if pod is not None:
        yield of_image(PART, pod)
    if phase == "Succeeded":
        if not embedded:
            yield PART.ok(RESULTS, "the pods' service account may write workflowtaskresults")
        yield PART.ok(DATASTORE, "the code package was read, and an artifact written")
        if setting("DEFAULT_METADATA") == "service":
            yield PART.ok("metadata service from a pod", "the task is registered there")
        return
    if not phase:
        yield PART.failed(
            RUN,
            f"no workflow controller has looked at it in {seconds:.0f} seconds",
            "Is one running, does it manage this namespace, and does the server have an instance id?",
        )
        return
    said = _messages(status)
    over = "" if phase in ENDED else f" after {seconds:.0f} seconds"
    what, mend = next(
        ((what, mend) for pattern, what, mend in CAUSES if re.search(pattern, said, re.IGNORECASE)),
        (RUN, "kubectl describe pod shows more; a longer --timeout helps where a node has to start first."),
    )
    yield PART.failed(what, f"the run is {phase}{over}: {said}", mend)
    rest = [each for each in (RESULTS, DATASTORE) if each != what]
    yield from PART.not_checked("the run did not come to its end", *rest)


def _phase(workflow: JSON) -> str:
    return str((workflow.get("status") or {}).get("phase") or "")


def _has_ended(workflow: JSON) -> bool:
    return _phase(workflow) in ENDED


def _messages(status: JSON) -> str:
    """What Argo says of the pods, or else of the run."""
    nodes = (status.get("nodes") or {}).values()
    found = [str(node["message"]) for node in nodes if node.get("type") == "Pod" and node.get("message")]
    return "; ".join(dict.fromkeys(found)) or str(status.get("message") or "no reason given")
