"""HTTP with Argo's server: each call ends in time, reads are tried again, no redirect is followed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar
from urllib.parse import urljoin

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

T = TypeVar("T")

CONNECT_SECONDS = 4.0
READ_SECONDS = 20.0
LONG_SECONDS = 60.0
"""How long to wait for an answer to begin or to go on: a small one, and one to a write or with all nodes of a
workflow."""
WHOLE_SECONDS = 180.0
"""How long an answer may take altogether, however steadily it drips."""
PAUSES = (0.3, 1.0)
"""The seconds before a read is tried again."""
BUSY = frozenset({429, 502, 503, 504})
"""The statuses of a server, or of a proxy in front of it, that cannot answer at the moment."""


class Redirected(requests.RequestException):
    """A server answers with another address. requests would follow it and make a GET of a write."""


class Session(requests.Session):
    """A session with time limits that keeps its last answer, tries reads again, and follows no redirect."""

    answer: requests.Response | None = None
    method = "GET"
    patient = False

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        self.method, self.answer = str(method).upper(), None
        is_read = self.method == "GET"
        kwargs["allow_redirects"] = False
        kwargs.setdefault(
            "timeout", (CONNECT_SECONDS, LONG_SECONDS if self.patient or not is_read else READ_SECONDS)
        )
        ask = super().request
        for pause in (*(PAUSES if is_read else ()), None):
            try:
                answer = _within(WHOLE_SECONDS, lambda: ask(method, url, *args, **kwargs))
                if pause is None or answer.status_code not in BUSY:
                    break
                answer.close()
            except requests.RequestException as error:
                if pause is None or isinstance(error, requests.Timeout) or not was_sent(error):
                    raise
            time.sleep(pause)
        self.answer = answer
        if answer.is_redirect:
            raise Redirected(urljoin(url, answer.headers["Location"]).partition("/api/v1/")[0])
        return answer


def was_sent(error: requests.RequestException) -> bool:
    """Whether a call that failed may have reached the server."""
    if isinstance(error, (requests.exceptions.SSLError, requests.ConnectTimeout, Redirected)):
        return False
    inner = error.args[0] if error.args else None
    reason = getattr(inner, "reason", inner)
    never = isinstance(reason, (NewConnectionError, ConnectTimeoutError))
    return not never and isinstance(
        error,
        (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError,
         requests.exceptions.ContentDecodingError),
    )  # fmt: skip


def _within(seconds: float, call: Callable[[], T]) -> T:
    """The result of a call, given up after a time: the time-outs of requests begin anew at each byte."""
    results: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def work() -> None:
        try:
            results.put((call(), None))
        except BaseException as error:
            results.put((None, error))

    threading.Thread(target=work, name="call", daemon=True).start()
    try:
        result, error = results.get(timeout=seconds)
    except Empty:
        raise requests.Timeout(f"no complete answer within {seconds:.0f} s") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
