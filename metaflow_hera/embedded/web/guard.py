"""Who may call the server: anyone with its token, and the page in a browser that has logged in."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from metaflow_hera.embedded.api.framing import Framing
from metaflow_hera.embedded.api.http import PERMISSION_DENIED, UNAUTHENTICATED, ApiError
from metaflow_hera.embedded.web.session import LOGIN, Session, login_needed, wants_page

STREAMS = re.compile(r"/api/v1/(workflow-events/|stream/events/|workflows/[^/]+/[^/]+/(.+/)?log$).*")
"""The paths whose errors are those of a stream."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Guard:
    """Lets through only callers with the token, and no web page that a browser was lured to.

    The address is reachable by every program and every web page of this machine: the Host header must name
    this machine (against DNS rebinding), an Origin must be this server, the token must be right. Paths that
    begin with `open_path` need no token: they hold a secret, for callers that can send no header. The page's
    login needs none either: it takes a code of its own, and the file that sends the code has no origin. In
    place of the token a browser has the page's cookie, which allows less: see `session.Session`.
    """

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        token: str,
        open_path: str,
        session: Session,
    ) -> None:
        self._app = app
        self._token = token.encode()
        self._open_path = open_path.encode()
        self._session = session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers, path = dict(scope["headers"]), str(scope["path"])
            refused = self._refused(scope["method"], headers, path)
            if refused is not None:
                answer = refused.response()
                if STREAMS.fullmatch(path):
                    answer = Framing(headers.get(b"accept", b"").decode("latin-1")).error(refused)
                if refused.code == UNAUTHENTICATED and wants_page(path, headers):
                    answer = login_needed()
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refused(self, method: str, headers: Mapping[bytes, bytes], path: str) -> ApiError | None:
        host = headers.get(b"host", b"").decode("latin-1")
        if host.partition(":")[0] not in ("127.0.0.1", "localhost"):
            return ApiError(PERMISSION_DENIED, "this server answers to 127.0.0.1 and localhost only")
        own, origin = f"http://{host}", headers.get(b"origin", b"").decode("latin-1")
        if path == LOGIN and origin in ("", "null", own):
            return None
        if b"origin" in headers and origin != own:
            return ApiError(PERMISSION_DENIED, "this server does not answer other web sites")
        if hmac.compare_digest(path.encode()[: len(self._open_path)], self._open_path):
            return None
        given = headers.get(b"authorization")
        if given is None and self._session.allows(method, headers, own):
            return None
        given = (given or b"").strip()
        if given[:7].lower() == b"bearer ":
            given = given[7:].strip()
        if not hmac.compare_digest(given, self._token):
            return ApiError(
                UNAUTHENTICATED, "token not valid. see https://argo-workflows.readthedocs.io/en/latest/faq/"
            )
        return None
