"""Opening the page of the embedded Argo in a browser, without a secret in the list of processes.

Every user of the machine can read a browser's arguments. So the browser opens a file that only its user may
read, and the file sends a code that works once.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
import webbrowser
from pathlib import Path

from metaflow_hera.embedded.errors import ServerError, Unusable
from metaflow_hera.embedded.local.launch import LocalServer, direct

FILE = "open.html"
SCREENS = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")

FORM = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<title>Opening the embedded Argo</title>
<form method="post" action="{url}"><input type="hidden" name="code" value="{code}">
<button>Open the embedded Argo</button></form>
<script>document.forms[0].submit()</script>
"""


def one_time_url(server: LocalServer, place: str = "") -> str:
    """An address that logs one browser in, once and within a minute, and shows a place of the page.

    That is all, or `runs/NAMESPACE/NAME`, or `deployments/NAMESPACE/NAME`.
    """
    return f"{server.url}/login?code={_code(server)}{f'&to={place}' if place else ''}"


def opening_file(server: LocalServer, place: str = "") -> Path:
    """A file that logs in the browser that opens it, once and within a minute; see `one_time_url`.

    Raises:
        Unusable: it cannot be written.
    """
    url = f"{server.url}/login{f'?to={place}' if place else ''}"
    path, text = server.home / FILE, FORM.format(url=url, code=_code(server))
    try:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise Unusable(
            f"{path} cannot be written ({error.strerror}): mfhera local open --print needs no file."
        ) from error
    return path


def open_page(server: LocalServer, place: str = "") -> bool:
    """Open the page, or a place of it, in the user's browser; returns whether there is one."""
    browser = a_browser()
    return browser is not None and browser.open(opening_file(server, place).as_uri())


def a_browser() -> webbrowser.BaseBrowser | None:
    """The user's browser; None if there is none that can show a page."""
    # Without a display Python finds text browsers, which cannot.
    if sys.platform != "darwin" and not any(map(os.environ.get, SCREENS)):
        return None
    try:
        return webbrowser.get()
    except webbrowser.Error:
        return None


def _code(server: LocalServer) -> str:
    """A new code; the token is needed to get it.

    Raises:
        ServerError: the server does not answer as it should.
    """
    request = urllib.request.Request(
        f"{server.url}/page/code", method="POST", headers={"Authorization": f"Bearer {server.token}"}
    )
    try:
        with direct().open(request, timeout=10) as answer:
            return str(json.load(answer)["code"])
    except (OSError, ValueError, KeyError) as error:
        raise ServerError(
            f"The embedded Argo at {server.url} gives no login code ({error}): stop it, then start it again."
        ) from error
