"""Answers that are none of Argo's, or not what was asked for: each becomes one of this package's errors."""

from __future__ import annotations

import io
import json
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError
from urllib3.exceptions import SSLError as TLSError

from metaflow_hera.argo import deployments, runs, session
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.target import Target
from metaflow_hera.errors import (
    ArgoConflict,
    ArgoDenied,
    ArgoError,
    ArgoNotFound,
    ArgoUnanswered,
    ArgoUnreachable,
)


class Says(BaseAdapter):
    """A connection to a server that answers every call in one way, and notes the methods."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__()
        self._status = status
        self._body = body if isinstance(body, str) else json.dumps(body)
        self.calls: list[str] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """The answer."""
        self.calls.append(str(request.method))
        answer = requests.Response()
        answer.status_code, answer.url, answer.request = self._status, str(request.url), request
        answer.raw = io.BytesIO(self._body.encode())
        return answer

    def close(self) -> None:
        """There is nothing to close."""


def client(says: Says, token: str | None = "secret") -> ArgoClient:
    """A client of a cluster's Argo."""
    return ArgoClient(Target(host="https://argo:2746/", namespace="team", token=token), says)


@pytest.mark.parametrize("body", ["<html>a proxy</html>", "[1]", "", "null", "3"])
def test_something_that_is_no_argo(body: str) -> None:
    asked = client(Says(200, body))
    for call in (
        lambda: asked.template("a"),
        lambda: list(deployments.deployed(asked)),
        lambda: runs.get(asked, "argo-a"),
        lambda: asked.terminate("a"),
    ):
        with pytest.raises(ArgoError, match="does not answer like Argo, but with "):
            call()


def test_a_flow_that_is_too_long_for_the_crds_is_told_what_to_do() -> None:
    """As Argo 4.1.2 says it."""
    said = (
        'WorkflowTemplate.argoproj.io "a" is invalid: [spec.templates[0].dag.tasks: Too many: 202: '
        "must have at most 200 items, <nil>: Invalid value: null: some validation rules were not checked]"
    )
    with pytest.raises(ArgoError, match=r"tasks: Too many: 202: must have at most 200 items\. .* split the"):
        client(Says(400, {"code": 3, "message": said})).template("a")


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (400, ArgoError, "refuses the request: told why"),
        (401, ArgoDenied, r"401: told why\): is ARGO_TOKEN right and still valid"),
        (403, ArgoDenied, r"does not allow you to (get|update) work\w+ \(403: told why\): ask those who run"),
        (404, ArgoNotFound, "told why"),
        (409, ArgoConflict, "told why"),
        (500, ArgoError, "refuses the request: told why"),
        (503, ArgoUnreachable, r"is not available \(503: told why\)"),
    ],
)
def test_a_server_that_refuses(status: int, error: type[ArgoError], words: str) -> None:
    says = Says(status, {"code": 7, "message": "told why"})
    for call in (lambda: client(says).template("a"), lambda: client(says).suspend("a")):
        with pytest.raises(error, match=words) as told:
            call()
        assert "secret" not in str(told.value)
    reads = 3 if status == 503 else 1  # what only asks is asked again of a server that is busy
    assert says.calls == [*["GET"] * reads, "PUT"]  # and nothing is written twice


def test_a_server_that_wants_a_token() -> None:
    with pytest.raises(ArgoDenied, match=r"401: token not valid\): set ARGO_TOKEN"):
        client(Says(401, {"code": 16, "message": "token not valid"}), token=None).template("a")


@pytest.mark.parametrize("body", ["<html>Bad Gateway</html>", "", "[]", '{"message": null}'])
def test_a_refusal_that_is_not_in_argos_words(body: str) -> None:
    with pytest.raises(ArgoUnreachable, match="502"):
        client(Says(502, body)).template("a")
    with pytest.raises(ArgoError, match="Argo at https://argo:2746, namespace team"):
        client(Says(400, body)).template("a")


def test_a_namespace_that_is_not_there() -> None:
    says = Says(404, {"code": 5, "message": 'namespaces "team" not found'})
    with pytest.raises(ArgoNotFound, match='namespaces "team" not found'):
        list(deployments.deployed(client(says)))
    assert deployments.find(client(says), "some-flow") is None
    assert set(says.calls) == {"GET"}


class Fails(BaseAdapter):
    """A connection on which every call fails alike; it notes the methods."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error
        self.calls: list[str] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """It fails, while something else is being handled."""
        self.calls.append(str(request.method))
        try:
            raise KeyError("of the connection's pool")
        except KeyError:
            raise self._error  # noqa: B904

    def close(self) -> None:
        """There is nothing to close."""


def at(fails: Fails, host: str = "https://argo:2746/") -> ArgoClient:
    """A client of a cluster's Argo."""
    return ArgoClient(Target(host=host, namespace="team"), fails)


def refused_connection() -> requests.ConnectionError:
    """Nobody listens."""
    reason = NewConnectionError(None, "Failed to establish a new connection")  # type: ignore[arg-type]
    reason.__cause__ = ConnectionRefusedError(111, "Connection refused")
    return requests.ConnectionError(MaxRetryError(None, "/", reason))  # type: ignore[arg-type]


def untrusted(cause: ssl.SSLError) -> requests.exceptions.SSLError:
    """TLS fails."""
    return requests.exceptions.SSLError(MaxRetryError(None, "/", TLSError(cause)))  # type: ignore[arg-type]


def test_nobody_listens_and_nothing_is_sent_twice() -> None:
    fails = Fails(refused_connection())
    for call in (lambda: at(fails).template("a"), lambda: at(fails).stop("a")):
        with pytest.raises(
            ArgoUnreachable, match=r"cannot be reached \(Connection refused\): is ARGO_SERVER"
        ) as told:
            call()
        assert not isinstance(told.value, ArgoUnanswered)
    assert fails.calls == ["GET", "PUT"]


def test_a_connection_that_breaks_off_is_read_again_and_not_written_again() -> None:
    fails = Fails(
        requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError(104, "reset")))
    )
    with pytest.raises(
        ArgoUnreachable,
        match=r"closed the connection before its answer was complete \(reset\): is ARGO_SERVER right",
    ):
        at(fails).template("a")
    with pytest.raises(ArgoUnanswered):
        at(fails).stop("a")
    with pytest.raises(ArgoUnreachable, match="are ARGO_SERVER and ARGO_SECURE right"):
        at(fails, "http://argo:2746/").template("a")
    assert fails.calls == ["GET", "GET", "GET", "PUT", "GET", "GET", "GET"]


def test_a_certificate_that_nobody_trusts() -> None:
    cause = ssl.SSLCertVerificationError(
        1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: x (_ssl.c:1000)"
    )
    cause.verify_message = "unable to get local issuer certificate"
    with pytest.raises(ArgoUnreachable) as told:
        at(Fails(untrusted(cause))).template("a")
    assert "cannot be trusted (unable to get local issuer certificate): set ARGO_CA_CERT" in str(told.value)
    assert "ARGO_INSECURE_SKIP_VERIFY=true" in str(told.value)


def test_tls_where_the_server_has_none() -> None:
    cause = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1000)")
    with pytest.raises(ArgoUnreachable, match=r"without TLS \(wrong version number\): set ARGO_SECURE=false"):
        at(Fails(untrusted(cause))).template("a")


def test_an_answer_that_drips_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, and the answer never does."""
    monkeypatch.setattr(session, "WHOLE_SECONDS", 0.2)
    enough = threading.Event()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not enough.wait(0.01):
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        host = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        with pytest.raises(ArgoUnreachable, match="did not answer in time"):
            ArgoClient(Target(host=host, namespace="team", embedded=True)).template("a")
        enough.set()
        thread.join()


@pytest.mark.parametrize("body", ["<html><body>Bad Gateway</body></html>", "<!doctype html>", "x" * 5000])
def test_a_page_of_a_proxy_is_not_repeated(body: str) -> None:
    with pytest.raises(ArgoUnreachable) as told:
        client(Says(502, body)).template("a")
    assert "html" not in str(told.value)
    assert len(str(told.value)) < 450


def test_a_server_that_accepts_and_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "READ_SECONDS", 0.1)
    monkeypatch.setattr(session, "LONG_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        asked = ArgoClient(Target(host=host, namespace="team", embedded=True))
        with pytest.raises(ArgoUnreachable, match="did not answer in time: is ARGO_SERVER right"):
            asked.template("a")
        with pytest.raises(ArgoUnanswered, match="did not answer in time"):
            asked.stop("a")


LOG = """\
time=2026-11-26T23:01:25.394Z level=INFO msg="waiting for signals" argo=true signalPath=/var/run/argo/ctr
Setting up task environment.
time=2026-11-26T23:01:26.000Z level=INFO msg="of the task's own" mine=true
time=2026-11-26T23:01:40.253Z level=INFO msg="sub-process exited" argo=true error=<nil>
time=2026-11-26T23:01:40.253Z level=INFO msg="saving parameter" argo=true src=/tmp/items dst=/var
time="2024-03-29T06:40:26 UTC" level=debug msg="ignore signal child exited" argo=true
{"time":"2026-11-26T23:01:40.253Z","level":"INFO","msg":"sub-process exited","argo":true,"error":null}
time=2026-11-26T23:01:40.253Z level=ERROR msg="failed to save parameter" argo=true"""
"""A pod's log as Argo 4.1.2 gave it; then lines of Argo 3, of a log in JSON, of an error."""


def test_a_log_holds_what_the_task_wrote_and_argos_executor_does_not_count() -> None:
    sent = [json.dumps({"result": {"content": line, "podName": "a-1"}}) for line in LOG.splitlines()]
    assert list(client(Says(200, "\n".join(sent))).logs("a")) == [
        ("a-1", "Setting up task environment."),
        ("a-1", 'time=2026-11-26T23:01:26.000Z level=INFO msg="of the task\'s own" mine=true'),
        ("a-1", 'time=2026-11-26T23:01:40.253Z level=ERROR msg="failed to save parameter" argo=true'),
    ]
