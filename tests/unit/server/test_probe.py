"""`mfhera doctor --probe`: a run that is made, looked at and deleted, and what its end tells."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest
import requests
from argo_permissions import Roles
from requests.adapters import BaseAdapter
from twin import TOKEN, Twin
from wrong import Front, says

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.permissions import OF_DEPLOYERS, can_be_asked
from metaflow_hera.argo.target import Target
from metaflow_hera.operations.health import pod_report, probe
from metaflow_hera.operations.health.findings import FAILED, NOT_CHECKED, OK, WARNING, Finding

NAME = "mfhera-doctor-x7k2p"
TEMPLATE = {
    "metadata": {"name": NAME, "namespace": "default"},
    "spec": {
        "entrypoint": "main",
        "templates": [{"name": "main", "container": {"image": "x", "command": ["true"]}}],
    },
}
LOG = ["mfhera-doctor: Python 3.12.1"]
TRIED = [each for each in OF_DEPLOYERS if not can_be_asked(each) and str(each) != probe.RETRY_ALONE]


class Cluster(Roles):
    """A cluster in which pods end as soon as somebody looks, and have written a log."""

    def __init__(self, twin: Twin, missing: Iterable[str] = (), exit_code: int | None = 0) -> None:
        super().__init__(twin.transport, {str(each) for each in OF_DEPLOYERS} - set(missing))
        self.log = LOG
        self.twin, self.exit_code = twin, exit_code

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """The answer of the server, or the log."""
        url = str(request.url)
        if request.method == "GET" and url.endswith(f"/{NAME}-run") and self.exit_code is not None:
            self.twin.finish(f"{NAME}-run", exit_code=self.exit_code)
        answer = super().send(request, *args, **kwargs)
        if not (answer.ok and "/log?" in url):
            return answer
        lines = [json.dumps({"result": {"content": line, "podName": "p"}}) for line in self.log]
        has_right = self.allowed is None or "get pods/log" in self.allowed
        made = says(200, "\n".join(lines) if has_right else "")()
        made.request, made.url = request, url
        return made


def probed(cluster: BaseAdapter, seconds: float = 30.0, **target: Any) -> list[Finding]:
    """What a run finds."""
    about = {"host": "http://127.0.0.1:2746/", "namespace": "default", "token": TOKEN, **target}
    return [*probe.Probe(ArgoClient(Target(**about), cluster), TEMPLATE, seconds).findings()]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "PAUSE", 0.0)


def test_all_is_well(twin: Twin) -> None:
    found = {each.what: each for each in probed(Cluster(twin))}
    assert found.pop(probe.RETRY_ALONE).state == NOT_CHECKED
    assert {each.state for each in found.values()} == {OK}
    assert found.keys() == {str(each) for each in TRIED} | {"task results", "image", "datastore from a pod"}
    assert twin.stored() == []


def test_the_embedded_argo(twin: Twin) -> None:
    found = {each.what: each.state for each in probed(Cluster(twin), embedded=True)}
    assert found == {"image": OK, "datastore from a pod": OK}
    assert twin.stored() == []


@pytest.mark.parametrize("missing", TRIED, ids=str)
def test_a_permission_is_missing(twin: Twin, missing: object) -> None:
    found = probed(Cluster(twin, {str(missing)}))
    assert [each.what for each in found if each.state == FAILED] == [str(missing)]
    kinds = {"workflowtemplates": "workflow-templates", "cronworkflows": "cron-workflows"}
    left = {each.what for each in found if each.state == WARNING and "kubectl" in str(each.mend)}
    names = {kind.replace("-", ""): kind for kind in (*kinds.values(), "workflows")}
    assert {(names[each.split()[0]], each.split()[1]) for each in left} == {s[:2] for s in twin.stored()}
    assert bool(left) == str(missing).startswith("delete ")


@pytest.mark.parametrize(
    ("missing", "run"), [("create workflowtemplates", "its template"), ("create workflows", "it cannot be")]
)
def test_the_run_cannot_be_made(twin: Twin, missing: str, run: str) -> None:
    found = {each.what: each for each in probed(Cluster(twin, {missing}))}
    assert found[missing].state == FAILED
    assert (found["run"].state, run in found["run"].found) == (NOT_CHECKED, True)
    assert twin.stored() == []


WEBHOOK = 'admission webhook "policy" denied the request: no such image'


@pytest.mark.parametrize("call", [0, 1])
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (says(400, {"code": 3, "message": "spec is invalid"}), "spec is invalid"),
        (says(403, {"code": 7, "message": WEBHOOK}), WEBHOOK),
        (says(401, {"code": 16, "message": "token not valid"}), "token not valid"),
    ],
)
@pytest.mark.parametrize("embedded", [False, True])
def test_what_is_refused_for_another_reason_is_no_missing_permission(
    twin: Twin, call: int, answer: Any, words: str, embedded: bool
) -> None:
    """First the template, then the run; each is needed."""
    front = Front(Cluster(twin))
    front.reset(answer, at=call, once=True)
    (failed,) = [each for each in probed(front, embedded=embedded) if each.state == FAILED]
    assert (failed.what, words in failed.found) == ("run", True)
    assert twin.stored() == []


def test_the_run_cannot_be_looked_at(twin: Twin) -> None:
    """All is deleted that may be: Argo reads a workflow before it deletes it."""
    found = {each.what: each for each in probed(Cluster(twin, {"get workflows"}))}
    assert found["run"].state == FAILED
    assert [name for _, name, _ in twin.stored()] == [f"{NAME}-run"]
    assert found[f"workflows {NAME}-run"].state == WARNING


def test_it_does_not_end_in_time(twin: Twin) -> None:
    found = {each.what: each for each in probed(Cluster(twin, exit_code=None), 0.0)}
    assert "after 0 seconds" in found["run"].found
    for each in ("task results", "datastore from a pod", "watch workflows", "get pods/log"):
        assert found[each].state == (OK if each == "get pods/log" else NOT_CHECKED)
    assert twin.stored() == []


def test_it_is_deleted_when_it_is_interrupted(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(probe.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        probed(Cluster(twin, exit_code=None))
    assert twin.stored() == []


FORBIDDEN = (
    "Error (exit code 1): workflowtaskresults.argoproj.io is forbidden: User "
    '"system:serviceaccount:flows:default" cannot create resource "workflowtaskresults" in API '
    'group "argoproj.io"'
)


@pytest.mark.parametrize(
    ("phase", "message", "what", "mend"),
    [
        ("Error", FORBIDDEN, "task results", "METAFLOW_KUBERNETES_SERVICE_ACCOUNT with"),
        ("Pending", 'serviceaccount "x" not found', "run", "METAFLOW_KUBERNETES_SERVICE_ACCOUNT"),
        ("Pending", 'Error: secret "x" not found', "run", "METAFLOW_KUBERNETES_SECRETS"),
        ("Pending", "ImagePullBackOff: Back-off pulling image", "image", "CONTAINER_IMAGE"),
        ("Failed", 'exec: "python": executable file not found in $PATH', "image", "--print image"),
        ("Failed", "No module named pip", "image", "--print image"),
        ("Failed", "The code package s3://b could not be fetched: 403", "datastore from a pod", "--print st"),
        ("Failed", "Unable to locate credentials", "datastore from a pod", "--print storage"),
        ("Running", "0/3 nodes are available", "run", "--timeout"),
        ("", "", "run", "Is one running"),
    ],
)
def test_what_keeps_a_pod_from_its_work(phase: str, message: str, what: str, mend: str) -> None:
    status = {"phase": phase, "nodes": {"a": {"type": "Pod", "message": message}, "b": {"type": "DAG"}}}
    first, *rest = probe.of_run({"status": status}, None, 60.0, embedded=False)
    assert (first.state, first.what, mend in str(first.mend)) == (FAILED, what, True)
    assert message in first.found
    assert what not in {each.what for each in rest}
    assert {each.state for each in rest} <= {NOT_CHECKED}


@pytest.mark.parametrize(
    ("line", "state", "found"),
    [
        ("Python 3.12.1", OK, "Python 3.12.1, with"),
        ("Python 3.12.1 without boto3, requests", WARNING, "without boto3 and requests"),
        ("Python 3.9.2", FAILED, "it has Python 3.9.2"),
        ("Python 2.7.18", FAILED, "it has Python 2.7.18"),
    ],
)
def test_an_image(line: str, state: str, found: str) -> None:
    pod = pod_report.told(["Setting up", f"{pod_report.MARK} {line}"])
    assert pod is not None
    image = pod_report.of_image(probe.PART, pod)
    assert (image.state, found in image.found) == (state, True)


def test_what_a_pod_writes_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pod_report.LIBRARIES, "of a test", ("json", "a_module_that_is_not_there"))
    command = [sys.executable, "-c", pod_report.script("of a test"), "print('goes on as', __name__)"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[1:] == ["goes on as __main__"]
    pod = pod_report.told(lines)
    assert pod == pod_report.Pod(sys.version_info[:3], ["a_module_that_is_not_there"])
