"""Answers that are none of Argo's, or not what was asked for: each becomes one of this package's errors."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from metaflow_hera.argo import deployments, runs
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.target import Target
from metaflow_hera.errors import ArgoConflict, ArgoDenied, ArgoError, ArgoNotFound, ArgoUnreachable


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
