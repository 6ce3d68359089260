"""Servers in a bad state, or of an older version: what is done then, and what a user reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from exports import export
from requests.adapters import BaseAdapter
from twin import HOST, TOKEN, Twin
from wrong import ANSWERS, Front, says

from metaflow_hera.argo import deployments, runs, starting
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.target import Target
from metaflow_hera.argo.versions import HEADER
from metaflow_hera.contract.manifest import PARAMETERS
from metaflow_hera.errors import (
    ArgoDenied,
    ArgoError,
    ArgoEventsMissing,
    ArgoUnanswered,
    ArgoUnreachable,
    UsageError,
)
from metaflow_hera.operations import control, present
from metaflow_hera.operations.exports import create_from
from metaflow_hera.operations.removal import remove

NO_SENSORS = "the server could not find the requested resource (get sensors.argoproj.io eventflow)"


class Changed(BaseAdapter):
    """Hands calls on, and changes the answers to some, or answers those itself."""

    def __init__(self, twin: Twin, change: Callable[[str, str, Any], Any], bodies: list[Any]) -> None:
        super().__init__()
        self._behind, self._change, self._bodies = twin.transport, change, bodies

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """The answer; `change` gets method, path and a call that asks the server."""
        if request.body:
            self._bodies.append(json.loads(request.body))

        def ask() -> Any:
            return self._behind.send(request, *args, **kwargs).json()

        made = self._change(str(request.method), str(request.path_url).partition("?")[0], ask)
        if made is None:
            return self._behind.send(request, *args, **kwargs)
        answer: requests.Response = made() if callable(made) else says(200, made)()
        answer.request, answer.url = request, str(request.url)
        return answer

    def close(self) -> None:
        """There is nothing to close."""


def cluster(
    twin: Twin, change: Callable[[str, str, Any], Any], bodies: list[Any] | None = None
) -> ArgoClient:
    """A client of the server, which it takes for a cluster's, with changed answers; notes what it sends."""
    bodies = [] if bodies is None else bodies
    return ArgoClient(Target(HOST, "default", TOKEN), Changed(twin, change, bodies))


def through(twin: Twin, front: Front) -> ArgoClient:
    """A client with a front before the server, of which it knows the version."""
    client = ArgoClient(Target(HOST, "default", TOKEN), front)
    client.version()
    return client


class TestStart:
    """A run is started once, whatever becomes of the answer."""

    def test_a_run_whose_answer_is_lost_has_started_once(self, twin: Twin) -> None:
        about = create_from(export("linear"), twin.client, None)
        for how in ("502", "closed", "cut off", "too late", "a page", "500 of a proxy"):
            front = Front(twin.transport)
            client = through(twin, front)
            front.reset(ANSWERS[how], once=True, after=True)
            run = runs.start(client, about, {})
            assert [each.run_id for each in runs.runs(twin.client, None)] == [run.run_id]
            twin.call("DELETE", f"workflows/default/{run.workflow}")

    def test_a_run_that_did_not_reach_the_server_starts_at_the_second_try(self, twin: Twin) -> None:
        about = create_from(export("linear"), twin.client, None)
        front = Front(twin.transport)
        client = through(twin, front)
        front.reset(ANSWERS["closed"], once=True)
        run = runs.start(client, about, {})
        assert [each.run_id for each in runs.runs(twin.client, None)] == [run.run_id]

    def test_a_server_that_goes_leaves_the_name_of_the_run(self, twin: Twin) -> None:
        about = create_from(export("linear"), twin.client, None)
        front = Front(twin.transport)
        client = through(twin, front)
        front.reset(ANSWERS["closed"], after=True)
        with pytest.raises(ArgoUnanswered, match="it is unclear whether the run argo-linearflow-") as told:
            runs.start(client, about, {})
        (run,) = runs.runs(twin.client, None)
        assert f"mfhera status {run.run_id}" in str(told.value)

    def test_a_name_that_another_run_has_by_chance(self, twin: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
        about = create_from(export("linear"), twin.client, None)
        first = runs.start(twin.client, about, {})
        ends = iter([first.workflow[-5:], "zzzzz"])
        monkeypatch.setattr(starting, "random_end", lambda: next(ends))
        assert runs.start(twin.client, about, {}).workflow == "linearflow-zzzzz"


class TestWords:
    """What is denied, and what is missing."""

    @pytest.mark.parametrize(
        ("act", "words"),
        [
            (lambda client: client.template("a"), "get workflowtemplates"),
            (lambda client: list(client.crons()), "list cronworkflows"),
            (lambda client: client.create_template(export("linear")[0]), "create workflowtemplates"),
            (lambda client: client.update_template(export("linear")[0]), "update workflowtemplates"),
            (lambda client: client.delete_cron("a"), "delete cronworkflows"),
            (lambda client: client.suspend("a"), "update workflows"),
            (lambda client: client.stop("a"), "patch workflows"),
            (lambda client: client.resubmit("a"), "create workflows"),
            (lambda client: client.delete_sensor("a", "default"), "delete sensors"),
            (lambda client: list(client.logs("a")), "get the logs of pods"),
        ],
    )
    def test_a_permission_that_is_lacking_is_named(
        self, twin: Twin, act: Callable[[ArgoClient], object], words: str
    ) -> None:
        denies = cluster(twin, lambda *_: ANSWERS["403"])
        with pytest.raises(ArgoDenied, match=rf"does not allow you to {words} .*\(403: permission denied\)"):
            act(denies)

    def test_of_several_permissions_that_a_call_needs_kubernetes_names_the_one(self, twin: Twin) -> None:
        """A retry deletes the pods that failed, and a deletion reads first: seen on a real Argo 4.1.2."""
        reason = 'pods "a" is forbidden: User "x" cannot delete resource "pods" in API group ""'
        denies = cluster(twin, lambda *_: says(403, {"code": 7, "message": reason}))
        with pytest.raises(ArgoDenied, match=r"does not allow you to delete pods \(403: "):
            denies.retry("a")

    def test_a_log_that_may_not_be_read(self, twin: Twin) -> None:
        reason = 'pods is forbidden: User "x" cannot watch resource "pods"'
        denies = cluster(twin, lambda *_: says(403, {"error": {"code": 7, "message": reason}}))
        with pytest.raises(ArgoDenied, match=reason):
            list(denies.logs("a"))
        later = cluster(twin, lambda *_: says(200, {"error": {"code": 7, "message": reason}}))
        with pytest.raises(ArgoError, match=reason):
            list(later.logs("a"))

    def test_a_server_with_tls_that_is_asked_without(self, twin: Twin) -> None:
        said = "Client sent an HTTP request to an HTTPS server.\n"
        asked = cluster(twin, lambda *_: says(400, said, **{"Content-Type": "text/plain"}))
        with pytest.raises(ArgoUnreachable, match="is a server with TLS: set ARGO_SECURE=true"):
            asked.template("a")

    def test_a_cluster_without_argo_events(self, twin: Twin) -> None:
        """It is found before anything is written."""
        missing = says(
            404,
            {
                "code": 5,
                "message": NO_SENSORS,
            },
        )
        without = cluster(twin, lambda method, path, ask: missing if "/sensors/" in path else None)
        with pytest.raises(ArgoEventsMissing, match=r"no Argo Events .*--events workflow-event-binding"):
            create_from(export("event"), without, None)
        assert twin.stored() == []
        create_from(export("linear"), without, None)
        assert remove(without, "linearflow", None) == ["workflow template linearflow"]


class TestDeploy:
    """What is half done is undone, or told."""

    def test_who_may_not_list_cron_workflows_deploys_nothing(self, twin: Twin) -> None:
        denies = cluster(
            twin, lambda method, path, _: ANSWERS["403"] if (method, path[-21:]) == LISTS else None
        )
        with pytest.raises(ArgoDenied, match="list cronworkflows"):
            create_from(export("schedules"), denies, None)
        assert twin.stored() == []

    def test_what_can_neither_be_done_nor_undone_is_told(self, twin: Twin) -> None:
        def only_creates_templates(method: str, path: str, ask: Any) -> Any:
            return ANSWERS["403"] if method == "DELETE" or (method == "POST" and "cron" in path) else None

        with pytest.raises(ArgoDenied) as told:
            create_from(export("schedules"), cluster(twin, only_creates_templates), None)
        assert "create cronworkflows" in str(told.value)
        assert "could not be rolled back" in str(told.value)
        assert "the workflow template schedulesflow may already be the new version" in str(told.value)

    def test_what_is_undone_is_told(self, twin: Twin) -> None:
        denies = cluster(
            twin, lambda method, path, _: ANSWERS["403"] if method == "POST" and "cron" in path else None
        )
        with pytest.raises(
            ArgoDenied, match="All changes were rolled back: schedulesflow is as it was before"
        ):
            create_from(export("schedules"), denies, None)
        assert twin.stored() == []

    def test_a_version_whose_answer_is_lost_is_deployed(self, twin: Twin) -> None:
        front = Front(twin.transport)
        for at in (2, 4, 6):  # each of the writes
            front.reset(ANSWERS["502"], at, once=True, after=True)
            create_from(export("schedules"), through(twin, front), None)
            assert len(twin.stored()) == 3
            remove(twin.client, "schedulesflow", None)

    @pytest.mark.parametrize("goes", [True, False])
    def test_nothing_is_deployed_onto_what_is_being_deleted(
        self, twin: Twin, monkeypatch: pytest.MonkeyPatch, goes: bool
    ) -> None:
        """A CronWorkflow with the orphan finalizer stays for a while, and takes what was written with it."""
        create_from(export("schedule"), twin.client, None)
        twin.client.delete_template("scheduleflow")
        looks: list[str] = []

        def dying(method: str, path: str, ask: Any) -> Any:
            if (method, path[-21:]) != LISTS:
                return None
            looks.append(path)
            if goes and len(looks) == 3:
                twin.call("DELETE", "cron-workflows/default/scheduleflow")
                return None
            found = ask()
            for item in found["items"] or ():
                item["metadata"] |= {"deletionTimestamp": "2026-11-26T10:00:00Z", "finalizers": ["orphan"]}
            return found

        if goes:
            create_from(export("schedule"), cluster(twin, dying), None)
            assert [kind for kind, _, _ in twin.stored()] == ["cron-workflows", "workflow-templates"]
            assert len(looks) == 3
        else:
            monkeypatch.setattr(present, "DYING_SECONDS", -1.0)
            with pytest.raises(
                ArgoError, match=r"scheduleflow has been waiting to be deleted since .* for orphan"
            ):
                create_from(export("schedule"), cluster(twin, dying), None)
            assert [kind for kind, _, _ in twin.stored()] == ["cron-workflows"]

    def test_a_server_that_only_says_that_it_deletes(self, twin: Twin) -> None:
        create_from(export("linear"), twin.client, None)
        says_so = cluster(twin, lambda method, *_: {} if method == "DELETE" else None)
        with pytest.raises(ArgoError, match="linearflow was deleted, but it still exists"):
            remove(says_so, "linearflow", None)


LISTS = ("GET", "/cron-workflows/default"[-21:])


def test_one_template_that_somebody_has_spoiled(twin: Twin) -> None:
    create_from(export("required"), twin.client, None)
    create_from(export("linear"), twin.client, None)
    for spoiled in ("x", "[]", "", '{"alpha": 3}', '{"alpha": {}}'):
        template = twin.client.template("linearflow")
        template["metadata"]["annotations"][PARAMETERS] = spoiled
        twin.client.update_template(template)
        assert {each.name for each in deployments.deployed(twin.client)} == {"linearflow", "requiredflow"}
        about = deployments.existing(twin.client, "linearflow")
        with pytest.raises(UsageError, match=f"annotation {PARAMETERS} of the workflow template linearflow"):
            runs.start(twin.client, about, {})
    create_from(export("linear"), twin.client, None)
    runs.start(twin.client, deployments.existing(twin.client, "linearflow"), {})
    assert remove(twin.client, "linearflow", None) == ["workflow template linearflow"]


@pytest.mark.parametrize(
    ("version", "restarts"),
    [
        *(("v3.6.19", True), ("v3.7.1", True), ("v3.7.2", False)),
        *(("v4.1.2", False), ("v0.0.0+unknown", False)),
    ],
)
def test_an_older_argo_begins_a_foreach_anew(twin: Twin, version: str, restarts: bool) -> None:
    """It would leave a run whose foreach has a body of several steps Running for ever."""
    about = create_from(export("deep"), twin.client, None)
    run = runs.start(twin.client, about, {})
    twin.transport.headers = {HEADER: version}
    while waiting := twin.waiting(run.workflow):
        for pod in waiting:
            twin.end(run.workflow, pod, exit_code=1 if pod.startswith("inner") else 0, items="[0, 1]")
    asked: list[Any] = []

    def answers(method: str, path: str, ask: Any) -> Any:
        return twin.workflow(run.workflow) if method == "PUT" else None

    notes: list[str] = []
    control.retry(cluster(twin, answers, asked), run.run_id, None, note=notes.append)
    (body,) = asked
    if restarts:
        name = f"{run.workflow}.start-foreach.start-item"
        assert body["restartSuccessful"] is True
        assert body["nodeFieldSelector"] == f"name={name}"
        assert f"Argo {version} can only begin a foreach" in notes[0]
    else:
        assert "restartSuccessful" not in body
        assert notes == []
