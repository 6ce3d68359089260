"""One call of Argo's server: its answer is the JSON that was asked for, or an error of this package."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import InsecureRequestWarning

from metaflow_hera.argo.answers import Check
from metaflow_hera.argo.paths import bearer
from metaflow_hera.argo.refusals import not_argos, refused, unreachable
from metaflow_hera.argo.session import CONNECT_SECONDS, LONG_SECONDS, Session
from metaflow_hera.argo.target import Target
from metaflow_hera.argo.versions import HEADER
from metaflow_hera.contract.objects import JSON, NOT_JSON
from metaflow_hera.errors import ArgoError

if TYPE_CHECKING:
    from requests.adapters import BaseAdapter


class Calls:
    """Calls of the server at a target. Each raises ArgoError or one of its kinds.

    `transport` carries them instead of `requests`' own connections.
    """

    def __init__(self, target: Target, transport: BaseAdapter | None) -> None:
        self.target = target
        self.session = Session()
        self.version: str | None = None
        """The version of the server, once an answer has told it."""
        self.session.cert = target.client_certificate
        if target.token:
            self.session.auth = lambda request: request  # or a login of .netrc would replace the token
        if transport is not None:
            self.session.mount(target.host, transport)
        if target.embedded:
            # Between two processes of this machine no proxy and no .netrc counts.
            self.session.trust_env = False
        if target.verify is False:  # as the user has asked for: no need to be told at each call
            warnings.simplefilter("ignore", InsecureRequestWarning)

    @property
    def authorization(self) -> str | None:
        """The header with the token, or None."""
        return bearer(self.target.token) if self.target.token else None

    def ask(
        self,
        method: str,
        path: str,
        check: Check,
        *,
        query: Mapping[str, str | None] | None = None,
        body: JSON | None = None,
        patient: bool = False,
    ) -> JSON:
        """The answer to a plain call; see `answer`."""

        def call() -> None:
            self.session.request(
                method,
                self.target.host + path,
                params=query,
                data=None if body is None else json.dumps(body),
                headers=self._headers(body is not None),
                verify=self.target.verify,
            )

        return self.answer(call, check, patient=patient)

    def answer(
        self, call: Callable[[], object], check: Check, *, patient: bool = False, writes: bool = True
    ) -> JSON:
        """The answer to a call of this session, if it is what was asked for.

        `patient` says that it may take long, `writes` is false for a POST that only asks.
        """
        self.session.patient = patient
        # An address or a token that cannot be sent, or an answer that is read below.
        with self._told(writes), suppress(*NOT_JSON):
            call()
        answer = self.session.answer
        if answer is None:
            raise ArgoError(f"{self.target} cannot be asked: is ARGO_SERVER right?")
        method = self.session.method if writes else "GET"
        if not answer.ok:
            raise refused(self.target, method, answer)
        self.version = answer.headers.get(HEADER) or self.version
        with suppress(*NOT_JSON):
            found = answer.json()
            if check(found):
                return found  # type: ignore[no-any-return]
        raise not_argos(self.target, method, answer)

    def lines(self, path: str, query: Mapping[str, str]) -> Iterator[bytes]:
        """The lines of an answer that comes line by line, as they come."""
        with self._told(writes=False):
            answer = self.session.get(
                self.target.host + path,
                params=query,
                headers=self._headers(False),
                timeout=(CONNECT_SECONDS, LONG_SECONDS),
                verify=self.target.verify,
                stream=True,
            )
            with answer:
                if not answer.ok:
                    raise refused(self.target, "GET", answer)
                yield from filter(None, answer.iter_lines())

    def _headers(self, has_body: bool) -> dict[str, str | None]:
        json_sent = {"Content-Type": "application/json"} if has_body else {}
        return {"Authorization": self.authorization, **json_sent}

    @contextmanager
    def _told(self, writes: bool) -> Iterator[None]:
        """Raise what goes wrong on the way as errors of this package."""
        try:
            yield
        except requests.exceptions.RequestException as error:
            raise unreachable(self.target, self.session.method if writes else "GET", error) from error
        except OSError as error:  # the file of REQUESTS_CA_BUNDLE is not there
            raise ArgoError(f"{self.target} cannot be asked: {error}.") from error
