"""`mfhera doctor`: each check with what makes it fail, and what it says to do."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests
from argo_permissions import Roles
from requests.adapters import BaseAdapter
from twin import TOKEN, Twin
from wrong import STATUS, Front, broken, says

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.permissions import OF_DEPLOYERS, OF_DEPLOYERS_OF_EVENTS
from metaflow_hera.argo.target import Target
from metaflow_hera.operations.health import configuration, examination, metadata, permissions, server, storage
from metaflow_hera.operations.health.findings import FAILED, NOT_CHECKED, OK, WARNING, Finding

NOW = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
HOST = "http://127.0.0.1:2746/"
EVENTS = {"ARGO_EVENTS_EVENT": "e", "ARGO_EVENTS_EVENT_SOURCE": "s", "ARGO_EVENTS_SERVICE_ACCOUNT": "a"}
MISSING_KIND = "the server could not find the requested resource (get sensors.argoproj.io)"
NO_NAMESPACE = 'namespaces "elsewhere" not found'


def by_what(found: list[Finding]) -> dict[str, Finding]:
    """The findings by what was checked; each is checked once."""
    assert len({each.what for each in found}) == len(found)
    return {each.what: each for each in found}


def client(transport: BaseAdapter, **target: Any) -> ArgoClient:
    """A client of a cluster's server."""
    about = {"host": HOST, "namespace": "default", "token": TOKEN, **target}
    return ArgoClient(Target(**about), transport)


class TestServer:
    """Reachable, version, TLS, token, clock."""

    def test_all_is_well(self, twin: Twin) -> None:
        found = by_what([*server.findings(client(twin.transport), NOW)])
        assert {each.state for each in found.values()} == {OK}
        assert found["version"].found == "v4.1.2"
        assert found["token"].found == "set; it does not tell until when it is valid"

    @pytest.mark.parametrize(
        ("answer", "what", "found"),
        [
            (broken(requests.ConnectTimeout()), "reachable", "did not answer in time"),
            (says(200, "<html>", **{"Content-Type": "text/html"}), "reachable", "does not answer like Argo"),
            (says(401, {"code": 16, "message": "token not valid"}), "token", "denies access"),
        ],
    )
    def test_a_server_that_cannot_be_asked(
        self, twin: Twin, answer: Callable[[], requests.Response], what: str, found: str
    ) -> None:
        front = Front(twin.transport)
        front.reset(answer)
        (only,) = server.findings(client(front), NOW)
        assert (only.state, only.what) == (FAILED, what)
        assert found in only.found

    @pytest.mark.parametrize(
        ("version", "state"),
        [
            *(("v3.5.15", FAILED), ("v3.6.19", OK), ("v3.7.18", OK), ("v4.1.2", OK)),
            *(("v5.0.0", WARNING), ("latest+unknown", WARNING)),
        ],
    )
    def test_versions(self, version: str, state: str) -> None:
        found = server.of_version(version)
        assert (found.state, bool(found.mend)) == (state, state != OK)

    @pytest.mark.parametrize(("seconds", "state"), [(0, OK), (50, OK), (400, WARNING), (-400, WARNING)])
    def test_clocks(self, seconds: int, state: str) -> None:
        found = server.clock(NOW + timedelta(seconds=seconds), NOW)
        assert found.state == state
        if state != OK:
            assert ("7 minutes ahead" if seconds > 0 else "7 minutes behind") in found.found

    def test_the_clock_of_the_server_is_in_its_answers(self, twin: Twin) -> None:
        front = Front(twin.transport)
        front.reset(says(200, {"version": "v4.1.2"}, Date="Sun, 01 Nov 2026 13:00:00 GMT"))
        assert by_what([*server.findings(client(front), NOW)])["clock"].state == WARNING

    @pytest.mark.parametrize(
        ("claims", "state", "found"),
        [
            ({"exp": NOW.timestamp() + 30 * 86400}, OK, "valid until"),
            ({"exp": NOW.timestamp() + 1800}, WARNING, "for 30 minutes more"),
            ({"exp": NOW.timestamp() - 1}, FAILED, "it was valid until"),
            ({}, OK, "without an end"),
            ([1], OK, "does not tell"),
            ({"exp": 1.8e12}, OK, "does not tell"),
            ({"exp": float("inf")}, OK, "does not tell"),
        ],
    )
    @pytest.mark.parametrize("scheme", ["", "Bearer "])
    def test_a_json_web_token(self, claims: Any, state: str, found: str, scheme: str) -> None:
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        (token,) = server.token(f"{scheme}e30.{body}.signature", "flows", NOW)
        assert (token.state, found in token.found) == (state, True)
        assert ("ARGO_TOKEN=" in str(token.mend)) is (state == FAILED)

    @pytest.mark.parametrize("text", [None, "v2:abc", "a.b.c", "  ", "Basic dTpw"])
    def test_another_token(self, text: str | None) -> None:
        (token,) = server.token(text, "flows", NOW)
        assert token.state == OK

    @pytest.mark.parametrize(
        ("target", "state"),
        [
            ({"host": "https://argo.example/"}, OK),
            ({"host": "https://argo.example/", "verify": "/ca.pem"}, OK),
            ({"host": "https://argo.example/", "verify": False}, WARNING),
            ({"host": "http://argo.example/"}, WARNING),
        ],
    )
    def test_tls(self, twin: Twin, target: dict[str, Any], state: str) -> None:
        front = Front(twin.transport)
        front.reset(says(200, {"version": "v4.1.2"}))
        assert by_what([*server.findings(client(front, **target), NOW)])["TLS"].state == state


def allowed(found: list[Finding]) -> set[str]:
    """The permissions that were found."""
    fine = [(each.what, each.found.split(", ")) for each in found if each.state == OK]
    return {f"{verb} {resource}" for resource, verbs in fine for verb in verbs}


EMBEDDED_LACKS = "list workfloweventbindings"
ASKED = {
    *(f"{verb} workflowtemplates" for verb in ("get", "list", "create", "update")),
    *(f"{verb} cronworkflows" for verb in ("get", "list", "create")),
    *(f"{verb} workflows" for verb in ("get", "list", "create")),
}
"""The permissions of which a call tells that changes nothing."""


class TestPermissions:
    """Each is asked for, and named where it is not there."""

    def test_all_are_there_and_nothing_was_changed(self, twin: Twin) -> None:
        found = [*permissions.findings(client(twin.transport))]
        assert allowed(found) == ASKED
        assert [each for each in found if each.state == FAILED] == []
        assert twin.stored() == []

    @pytest.mark.parametrize("missing", sorted(ASKED))
    def test_one_is_missing(self, twin: Twin, missing: str) -> None:
        roles = Roles(twin.transport, {str(each) for each in OF_DEPLOYERS} - {missing})
        found = [*permissions.findings(client(roles))]
        (denied,) = [each for each in found if each.state == FAILED]
        assert denied.what == missing
        assert "needed by mfhera " in denied.found
        assert "mfhera doctor --print rbac" in str(denied.mend)
        assert allowed(found) == ASKED - {missing}

    def test_none_is_there(self, twin: Twin) -> None:
        found = [*permissions.findings(client(Roles(twin.transport, set())))]
        assert {each.what for each in found if each.state == FAILED} == ASKED | {EMBEDDED_LACKS}

    def test_what_cannot_be_asked_is_not_claimed(self, twin: Twin) -> None:
        found = [*permissions.findings(client(twin.transport))]
        unknown = {str(each) for each in OF_DEPLOYERS} - ASKED - {EMBEDDED_LACKS}
        told = [each.what.rpartition(" ") for each in found if "--probe" in each.found]
        assert {f"{verb} {resource}" for verbs, _, resource in told for verb in verbs.split(", ")} == unknown

    @pytest.mark.parametrize("answer", [says(500, {"code": 13, "message": "etcd"}), says(200, "<html>")])
    def test_an_answer_that_tells_nothing(self, twin: Twin, answer: Callable[[], requests.Response]) -> None:
        front = Front(twin.transport)
        front.reset(answer)
        assert {each.state for each in permissions.findings(client(front))} == {NOT_CHECKED}

    def test_an_admission_webhook_is_no_permission(self, twin: Twin) -> None:
        front = Front(twin.transport)
        said = 'admission webhook "policy" denied the request: not so'
        front.reset(says(403, {"code": 7, "message": said}), at=0, once=True)
        first = next(permissions.findings(client(front)))
        assert (first.state, said in first.found) == (NOT_CHECKED, True)

    def test_an_object_that_is_made_all_the_same_is_no_permission(self, twin: Twin) -> None:
        """A server that takes a name which Kubernetes does not have."""
        front = Front(twin.transport)
        front.reset(says(200, {"metadata": {"name": "x"}, "spec": {}}), at=0, once=True)
        first = next(permissions.findings(client(front)))
        assert first.state == NOT_CHECKED

    def test_there_is_no_such_namespace(self, twin: Twin) -> None:
        front = Front(twin.transport)
        front.reset(says(404, {"code": 5, "message": NO_NAMESPACE}))
        (only,) = permissions.findings(client(front, namespace="elsewhere"))
        assert (only.state, only.what, only.found) == (FAILED, "namespace", "there is no elsewhere")
        assert "kubectl create namespace elsewhere" in str(only.mend)

    def test_the_token_is_refused(self, twin: Twin) -> None:
        (only,) = permissions.findings(client(twin.transport, token="another"))
        assert (only.state, only.what) == (FAILED, "token")

    def test_the_embedded_argo_has_no_permissions(self, twin: Twin) -> None:
        (only,) = permissions.findings(twin.client)
        assert only.state == OK
        assert twin.calls == []


class TestEvents:
    """Argo Events, the permissions for its sensors, and what Metaflow is told of it."""

    @pytest.fixture(autouse=True)
    def configured(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        def configure(**values: str) -> None:
            settings = {**dict.fromkeys(EVENTS), "ARGO_EVENTS_SENSOR_NAMESPACE": None, **values}
            for name, value in settings.items():
                monkeypatch.setattr(f"metaflow.metaflow_config.{name}", value)

        configure(**EVENTS)
        return configure

    def test_all_is_there(self, twin: Twin) -> None:
        found = by_what([*permissions.of_events(client(twin.transport))])
        assert {each.state for each in found.values()} == {OK}
        assert found["sensors"].found == "create, get, list, update, delete"
        assert twin.stored() == []

    @pytest.mark.parametrize("missing", OF_DEPLOYERS_OF_EVENTS, ids=str)
    def test_a_permission_is_missing(self, twin: Twin, missing: object) -> None:
        roles = Roles(twin.transport, {str(each) for each in OF_DEPLOYERS_OF_EVENTS} - {str(missing)})
        (denied,) = [each for each in permissions.of_events(client(roles)) if each.state != OK]
        assert (denied.state, denied.what) == (FAILED, str(missing))
        assert "--print events" in str(denied.mend)

    def test_there_is_no_argo_events(self, twin: Twin, configured: Callable[..., None]) -> None:
        front = Front(twin.transport)
        front.reset(says(404, {"code": 5, "message": MISSING_KIND}))
        (only,) = permissions.of_events(client(front))
        assert (only.state, "the cluster has none" in only.found) == (FAILED, True)
        configured()
        (only,) = permissions.of_events(client(front))
        assert only.state == OK  # for whoever wants none

    @pytest.mark.parametrize("wanted", [True, False])
    def test_sensors_in_a_namespace_that_is_not_there(
        self, twin: Twin, configured: Callable[..., None], wanted: bool
    ) -> None:
        configured(**(EVENTS if wanted else {}), ARGO_EVENTS_SENSOR_NAMESPACE="elsewhere")
        front = Front(twin.transport)
        front.reset(says(404, {"code": 5, "message": NO_NAMESPACE}))
        (only,) = permissions.of_events(client(front))
        assert (only.state, only.what, only.found) == (FAILED, "namespace", "there is no elsewhere")
        assert "METAFLOW_ARGO_EVENTS_SENSOR_NAMESPACE" in str(only.mend)

    def test_metaflow_is_told_a_part(self, twin: Twin, configured: Callable[..., None]) -> None:
        configured(ARGO_EVENTS_EVENT="e")
        (failed,) = [each for each in permissions.of_events(client(twin.transport)) if each.state == FAILED]
        assert "METAFLOW_ARGO_EVENTS_EVENT_SOURCE and METAFLOW_ARGO_EVENTS_SERVICE_ACCOUNT" in failed.found

    def test_metaflow_is_told_nothing(self, twin: Twin, configured: Callable[..., None]) -> None:
        configured()
        roles = Roles(twin.transport, set())
        assert {each.state for each in permissions.of_events(client(roles))} == {OK}
        whats = {each.what for each in permissions.of_events(client(roles))}
        assert "create, get, list, update, delete sensors" in whats


class TestExamination:
    """All of it: what depends on a check that failed is not checked, and says so."""

    @pytest.fixture
    def examined(
        self, monkeypatch: pytest.MonkeyPatch, twin: Twin
    ) -> Callable[..., dict[tuple[str, str], Finding]]:
        def examine(transport: BaseAdapter | None, **env: str) -> dict[tuple[str, str], Finding]:
            for name, value in env.items():
                monkeypatch.setenv(name, value)
            found = examination.examine(
                "local", connect=lambda target: ArgoClient(target, transport or twin.transport)
            )
            return {(each.part, each.what): each for each in found}

        return examine

    def test_nothing_is_configured(self, examined: Callable[..., Any]) -> None:
        found = examined(None)
        assert found["server", "reachable"].state == NOT_CHECKED
        assert "mfhera local start" in found["server", "reachable"].found
        for part in (("permissions", "each permission"), ("events", "Argo Events")):
            assert (found[part].state, found[part].found) == (NOT_CHECKED, "the server cannot be asked")
        assert FAILED not in {each.state for each in found.values()}

    def test_no_server_for_a_run_is_a_failure(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Such as in a pod, which does not start the embedded Argo."""
        monkeypatch.delenv("METAFLOW_HERA_HOME", raising=False)
        monkeypatch.setenv("METAFLOW_HERA_PATH", "")
        monkeypatch.setenv("EMBEDDED_ARGO_HOME", str(tmp_path))
        found = by_what([each for each in examination.examine("local", probe_seconds=1) if each.state != OK])
        assert found["reachable"].state == FAILED
        assert (found["run"].state, found["run"].found) == (NOT_CHECKED, "the server cannot be asked")

    def test_an_address_that_is_none(self, examined: Callable[..., Any]) -> None:
        found = examined(None, ARGO_SERVER="argo:port")
        assert found["server", "address"].state == FAILED
        assert found["permissions", "each permission"].state == NOT_CHECKED

    def test_a_server_that_does_not_answer(self, examined: Callable[..., Any], twin: Twin) -> None:
        front = Front(twin.transport)
        front.reset(broken(requests.ConnectTimeout()))
        found = examined(front, ARGO_SERVER="127.0.0.1:2746", ARGO_SECURE="false")
        assert found["server", "reachable"].state == FAILED
        assert found["permissions", "each permission"].state == NOT_CHECKED
        assert found["datastore", "for pods"].state == FAILED

    def test_a_wrong_token(self, examined: Callable[..., Any]) -> None:
        env = {"ARGO_SERVER": "127.0.0.1:2746", "ARGO_SECURE": "false", "ARGO_TOKEN": "my-secret"}
        found = examined(None, **env)
        assert found["server", "token"].state == FAILED
        assert 'export ARGO_TOKEN="' in found["server", "token"].found
        assert found["events", "Argo Events"].state == NOT_CHECKED
        assert not any("my-secret" in f"{each.found} {each.mend}" for each in found.values())

    def test_a_role_that_may_not_create_workflows(self, examined: Callable[..., Any], twin: Twin) -> None:
        roles = Roles(twin.transport, {str(each) for each in OF_DEPLOYERS} - {"create workflows"})
        env = {"ARGO_SERVER": "127.0.0.1:2746", "ARGO_SECURE": "false", "ARGO_TOKEN": TOKEN}
        found = examined(roles, **env)
        denied = found["permissions", "create workflows"]
        assert (denied.state, denied.found) == (
            FAILED,
            "denied, and needed by mfhera backfill, mfhera resubmit, mfhera trigger",
        )

    def test_a_configuration_that_cannot_be_read(
        self, examined: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("METAFLOW_PROFILE", "missing")
        env = {"ARGO_SERVER": "127.0.0.1:2746", "ARGO_SECURE": "false", "ARGO_TOKEN": TOKEN}
        found = examined(None, ARGO_NAMESPACE="default", **env)
        failed = [what for what, each in found.items() if each.state == FAILED]
        assert failed == [("configuration", "Metaflow's configuration")]
        assert found["server", "version"].state == OK
        for part in (("events", "Argo Events"), ("datastore", storage.HERE), ("metadata", metadata.WHAT)):
            assert found[part].state == NOT_CHECKED

    def test_a_kubernetes_status_is_understood_as_argos_is(
        self, examined: Callable[..., Any], twin: Twin
    ) -> None:
        front = Front(twin.transport)
        front.reset(says(403, STATUS), at=1)
        found = examined(front, ARGO_SERVER="127.0.0.1:2746", ARGO_SECURE="false", ARGO_TOKEN=TOKEN)
        assert found["permissions", "get workflows"].state == FAILED


class TestConfiguration:
    """What counts, and where it comes from."""

    def test_variables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("METAFLOW_DEFAULT_DATASTORE", "s3")
        env = {"ARGO_SERVER": "https://me:pass@argo.example", "ARGO_TOKEN": "my-secret"}
        found = by_what([*configuration.findings(env)])
        assert found["ARGO_SERVER"].found == "https://...@argo.example, from the environment"
        assert found["ARGO_TOKEN"].found == "set, from the environment"
        assert found["METAFLOW_DEFAULT_DATASTORE"].found == "s3, from the environment"
        assert "METAFLOW_DEFAULT_METADATA" not in found

    def test_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("METAFLOW_HOME", str(tmp_path))
        file = tmp_path / "config.json"
        address = {
            "METAFLOW_SERVICE_URL": "https://me:pass@service",
            "METAFLOW_SERVICE_AUTH_KEY": "my-secret",
        }
        file.write_text(json.dumps(address))
        found = by_what([*configuration.findings({})])
        assert found["Metaflow's configuration"].found == str(file)
        assert found["METAFLOW_SERVICE_URL"].found == f"https://...@service, from {file}"
        assert not any("my-secret" in each.found for each in found.values())

    def test_a_file_that_cannot_be_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("METAFLOW_HOME", str(tmp_path))
        (tmp_path / "config.json").write_text("{")
        (failed,) = configuration.findings({})
        assert (failed.state, "fix it or delete it" in failed.found) == (FAILED, True)
