"""How a browser is let in: a cookie, given for a code that works once.

The token is never in the browser. `mfhera local open` has the token, asks for a code, and has the browser
send it to /login; the answer sets the cookie. The cookie is of this site only, and hidden from scripts.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from html import escape
from importlib.resources import files

from starlette.requests import cookie_parser
from starlette.responses import Response

LOGIN = "/login"
CODE_SECONDS = 60.0
CODES = 16
"""How many codes may wait to be used; beyond that, the oldest is dropped."""

SAFE = ("GET", "HEAD")

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Sent with every answer that a browser may show."""

CARD_HEADERS = {
    **HEADERS,
    "Content-Security-Policy": "sandbox allow-scripts; default-src 'none'; "
    "script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
    "font-src data:; media-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
}
"""Sent with what a user's code has made: it runs as a site of its own, which nobody else is, and can load
nothing from anywhere."""

STYLE = (
    "html{color-scheme:light dark;background:light-dark(#f6f7f9,#12151b);color:light-dark(#1c2330,#dfe4ec);"
    "font:13px/1.45 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif}"
    "body{display:grid;place-content:center;min-height:90vh;margin:0 16px}"
    "main{max-width:420px;padding:24px 28px;border:1px solid light-dark(#e2e5ea,#2b313c);border-radius:10px;"
    "background:light-dark(#fff,#191d25)}"
    "header{display:flex;align-items:center;gap:8px;font-weight:600}"
    "svg{width:20px;height:20px}"
    "h1{font-size:18px;margin:18px 0 4px}"
    "p{margin:0;color:light-dark(#545e6e,#9aa5b6);overflow-wrap:anywhere}"
    "code{display:block;margin-top:12px;padding:8px 10px;border-radius:6px;"
    "background:light-dark(#f6f7f9,#12151b);font:12px/1.5 ui-monospace,'DejaVu Sans Mono',monospace}"
)
"""Of the pages that are shown to those who are not logged in, who get no files."""

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_STYLED = {
    **HEADERS,
    "Content-Security-Policy": HEADERS["Content-Security-Policy"].replace(
        "style-src 'self'", f"style-src 'sha256-{_STYLE_HASH}'"
    ),
}


class Session:
    """The cookie of one home, and the codes that it is given for.

    Cookies do not distinguish between ports, so the name of the cookie depends on the home.
    """

    def __init__(self, secret: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._secret = secret.encode()
        self._name = f"embedded_argo_{hashlib.sha256(self._secret).hexdigest()[:8]}"
        self._clock = clock
        self._codes: dict[str, float] = {}

    @property
    def cookie(self) -> str:
        """The header that sets it, until the browser is closed."""
        return f"{self._name}={self._secret.decode()}; HttpOnly; SameSite=Strict; Path=/"

    def new_code(self) -> str:
        """A code that works once, and for a minute. Only its hash is kept."""
        code = secrets.token_urlsafe(32)
        while len(self._codes) >= CODES:
            del self._codes[next(iter(self._codes))]
        self._codes[_hash(code)] = self._clock() + CODE_SECONDS
        return code

    def use(self, code: str) -> bool:
        """Whether a code is right; it is used up afterwards."""
        given, right = _hash(code), False
        for known in list(self._codes):
            if hmac.compare_digest(known, given):
                right = self._clock() <= self._codes.pop(known)
        return right

    def allows(self, method: str, headers: Mapping[bytes, bytes], own_origin: str) -> bool:
        """Whether a request has the cookie and comes from the page itself, not from another one.

        For a browser, a page at another port of this machine is the same site, so its requests have the
        cookie too: a change must say that it comes from this page, and no request may say otherwise.
        """
        if not hmac.compare_digest(self._given(headers), self._secret):
            return False
        site = headers.get(b"sec-fetch-site")
        if method in SAFE:
            return site in (None, b"same-origin", b"none")
        return headers.get(b"origin", b"").decode("latin-1") == own_origin or site == b"same-origin"

    def _given(self, headers: Mapping[bytes, bytes]) -> bytes:
        # Other servers of this machine may have set cookies of any form, which must not hide ours.
        cookies = cookie_parser(headers.get(b"cookie", b"").decode("latin-1"))
        return cookies.get(self._name, "").encode("latin-1", "replace")


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "replace")).hexdigest()


ICON = (files("metaflow_hera.embedded.page") / "static" / "icon.svg").read_text()
OPENS = "mfhera local open"
LOG_IN = "This page is for the user who runs the server. To open it, run in a terminal:"


def words(
    title: str, text: str, status: int, *, command: str | None = None, onward: str | None = None
) -> Response:
    """A small page with a text, and perhaps a command to run.

    `onward` is the address of this server to forward to, if any.
    """
    run = f"<code>{escape(command)}</code>" if command else ""
    refresh = f'<meta http-equiv="refresh" content="0; url={escape(onward)}">' if onward else ""
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8">{refresh}'
        '<link rel="icon" href="/page/static/icon.svg">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}: Embedded Argo</title><style>{STYLE}</style>"
        f"<main><header>{ICON}Embedded Argo</header><h1>{escape(title)}</h1><p>{escape(text)}</p>{run}</main>"
    )
    return Response(body, status, headers=_STYLED, media_type="text/html")


def wants_page(path: str, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a person's browser asks, not a program."""
    return not path.startswith("/api/") and b"text/html" in headers.get(b"accept", b"")


def login_needed() -> Response:
    """What a browser without the cookie gets."""
    return words("Not logged in", LOG_IN, 401, command=OPENS)
