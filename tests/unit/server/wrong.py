"""Answers that no Argo gives, and a connection that gives them in place of the server behind it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from http.client import BadStatusLine, IncompleteRead, RemoteDisconnected
from typing import Any

import requests
from requests.adapters import BaseAdapter
from urllib3.exceptions import ProtocolError

HTML = "<html><head><title>Bad Gateway</title></head><body>a proxy of the company</body></html>"
PAGE = {"Content-Type": "text/html"}
ANOTHER = {"metadata": {"name": "another", "namespace": "default"}, "spec": {"templates": []}, "status": {}}
STATUS = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Failure",
    "code": 403,
    "message": 'workflows.argoproj.io is forbidden: User "x" cannot do that',
}


def broken(error: Exception) -> Callable[[], requests.Response]:
    """A connection that fails."""

    def fail() -> requests.Response:
        raise error

    return fail


def says(status: int, body: object = "", **headers: str) -> Callable[[], requests.Response]:
    """An answer."""

    def answer() -> requests.Response:
        made = requests.Response()
        made.status_code = status
        made.headers.update({"Content-Type": "application/json"} | headers)
        made.raw = io.BytesIO((body if isinstance(body, str) else json.dumps(body)).encode())
        return made

    return answer


def lost(error: Exception) -> requests.ConnectionError:
    """A connection that was closed."""
    return requests.ConnectionError(ProtocolError("Connection aborted.", error))


ANSWERS: dict[str, Callable[[], requests.Response]] = {
    "moved": says(301, Location="https://argo.example/base"),
    "found": says(302, Location="/login"),
    "moved for good": says(308, Location="https://argo.example"),
    "an empty object": says(200, {}),
    "a list": says(200, [1, 2]),
    "null": says(200, "null"),
    "a number": says(200, "3"),
    "a text": says(200, '"fine"'),
    "nothing": says(200),
    "no content": says(204),
    "a page": says(200, HTML, **{"Content-Type": "text/html"}),
    "a page that calls itself JSON": says(200, HTML),
    "another object": says(200, ANOTHER),
    "a list of what is none": says(200, {"metadata": {}, "items": [1]}),
    "items that are none": says(200, {"items": "all"}),
    "metadata that are none": says(200, {"metadata": [], "spec": [], "status": []}),
    "half of it": says(200, '{"metadata": {"name": "linearfl'),
    "nested without end": says(200, "[" * 100_000),
    "not UTF-8": says(200, "\udcff".encode("utf-8", "surrogateescape").decode("latin-1") + "{}"),
    "a Status": says(200, STATUS),
    "a refusal of Kubernetes": says(403, STATUS),
    "400": says(400, {"code": 3, "message": "told why"}),
    "401": says(401, {"code": 16, "message": "token not valid"}),
    "403": says(403, {"code": 7, "message": "permission denied"}),
    "403 of a proxy": says(403, HTML, **PAGE),
    "404": says(404, {"code": 5, "message": "not there"}),
    "404 of a proxy": says(404, HTML, **PAGE),
    "409": says(409, {"code": 6, "message": "already exists"}),
    "410": says(410, {"code": 2, "message": "the resourceVersion is too old"}),
    "422": says(422, {"code": 3, "message": "is invalid"}),
    "429": says(429, {"code": 8, "message": "too many requests"}),
    "500": says(500, {"code": 13, "message": "told why"}),
    "500 of a proxy": says(500, HTML, **PAGE),
    "501": says(501, {"code": 12, "message": "is not supported"}),
    "502": says(502, HTML, **PAGE),
    "503": says(503, "no healthy upstream", **{"Content-Type": "text/plain"}),
    "504": says(504, HTML, **PAGE),
    "closed": broken(lost(RemoteDisconnected("Remote end closed connection without response"))),
    "reset": broken(lost(ConnectionResetError(104, "Connection reset by peer"))),
    "no HTTP": broken(lost(BadStatusLine("\x15\x03\x01"))),
    "cut off": broken(
        requests.exceptions.ChunkedEncodingError(ProtocolError("Connection broken", IncompleteRead(b"{")))
    ),
    "too late": broken(requests.ReadTimeout("Read timed out.")),
}

LOST = ("a page", "null", "502", "closed", "cut off", "too late")
"""Those from which nobody knows whether a write was done."""


class Front(BaseAdapter):
    """Hands calls on, and from some call on answers them itself, or that call alone."""

    def __init__(self, behind: BaseAdapter) -> None:
        super().__init__()
        self._behind = behind
        self.reset()

    def reset(
        self,
        answer: Callable[[], requests.Response] | None = None,
        at: int = 0,
        *,
        once: bool = False,
        after: bool = False,
    ) -> None:
        """What to answer, from which call on (or there alone), and whether after the call was handed on."""
        self._answer, self._at, self._once, self._after = answer, at, once, after
        self.calls: list[str] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """The answer."""
        at = len(self.calls)
        self.calls.append(str(request.method))
        bad = self._answer is not None and (at == self._at if self._once else at >= self._at)
        if not bad or self._after:
            good = self._behind.send(request, *args, **kwargs)
            if not bad:
                return good
        assert self._answer is not None
        made = self._answer()
        made.request, made.url = request, str(request.url)
        return made

    def close(self) -> None:
        """There is nothing to close."""
