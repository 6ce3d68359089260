"""What Argo's server asks Kubernetes for at each call, in the name of who calls, as Argo 4.1.2 does it.

Read in its sources, server/*/*_server.go and util/logs/workflow-logger.go. `Roles` stands in front of a
server and denies what somebody with some permissions may not do, in Argo's words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import requests
from argo_calls import Call
from requests.adapters import BaseAdapter
from wrong import says

TEMPLATES, CRONS = "api/v1/workflow-templates/{namespace}", "api/v1/cron-workflows/{namespace}"
WORKFLOWS, SENSORS = "api/v1/workflows/{namespace}", "api/v1/sensors/{namespace}"
ONE = "/{name}"

NEEDS: dict[str, tuple[str, ...]] = {
    "GET api/v1/version": (),
    f"GET {TEMPLATES}": ("list workflowtemplates",),
    f"GET {TEMPLATES}{ONE}": ("get workflowtemplates",),
    f"POST {TEMPLATES}": ("create workflowtemplates",),
    f"PUT {TEMPLATES}{ONE}": ("update workflowtemplates",),
    f"DELETE {TEMPLATES}{ONE}": ("get workflowtemplates", "delete workflowtemplates"),
    f"GET {CRONS}": ("list cronworkflows",),
    f"GET {CRONS}{ONE}": ("get cronworkflows",),
    f"POST {CRONS}": ("create cronworkflows",),
    f"PUT {CRONS}{ONE}": ("get cronworkflows", "update cronworkflows"),
    f"DELETE {CRONS}{ONE}": ("get cronworkflows", "delete cronworkflows"),
    f"GET {SENSORS}": ("list sensors",),
    f"GET {SENSORS}{ONE}": ("get sensors",),
    f"POST {SENSORS}": ("create sensors",),
    f"PUT {SENSORS}{ONE}": ("update sensors",),
    f"DELETE {SENSORS}{ONE}": ("delete sensors",),
    "POST api/v1/events/{namespace}/{discriminator}": ("list workfloweventbindings",),
    "GET api/v1/workflow-event-bindings/{namespace}": ("list workfloweventbindings",),
    f"GET {WORKFLOWS}": ("list workflows",),
    f"GET {WORKFLOWS}{ONE}": ("get workflows",),
    f"POST {WORKFLOWS}": ("create workflows",),
    f"POST {WORKFLOWS}/submit": ("get workflowtemplates", "create workflows"),
    f"PUT {WORKFLOWS}{ONE}/resubmit": ("get workflows", "get workflowtemplates", "create workflows"),
    f"PUT {WORKFLOWS}{ONE}/retry": ("get workflows", "delete pods", "update workflows"),
    f"PUT {WORKFLOWS}{ONE}/suspend": ("get workflows", "update workflows"),
    f"PUT {WORKFLOWS}{ONE}/resume": ("get workflows", "update workflows"),
    f"PUT {WORKFLOWS}{ONE}/stop": ("get workflows", "patch workflows"),
    f"PUT {WORKFLOWS}{ONE}/terminate": ("get workflows", "patch workflows"),
    f"DELETE {WORKFLOWS}{ONE}": ("get workflows", "delete workflows"),
    f"GET {WORKFLOWS}{ONE}/log": ("get workflows", "watch pods", "list pods", "get pods/log"),
}
FOLLOWED = "logOptions.follow=true"
FOLLOWING = ("watch workflows",)
"""What is asked for besides where a log is followed."""


def needed(call: Call) -> tuple[str, ...]:
    """The permissions that a call needs, in the order in which they are asked for."""
    return (*NEEDS[call.name()], *(FOLLOWING if FOLLOWED in call.query else ()))


class Roles(BaseAdapter):
    """Hands on the calls of somebody with some permissions (None: all), and notes which they needed.

    `meanwhile` is called before each call is handed on.
    """

    def __init__(self, behind: BaseAdapter, allowed: Iterable[str] | None = None) -> None:
        super().__init__()
        self._behind = behind
        self.allowed = None if allowed is None else set(allowed)
        self.needed: set[str] = set()
        self.meanwhile: Callable[[Call], object] = lambda _: None

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """The answer of the server behind, or that it is forbidden."""
        parts = urlsplit(request.url or "")
        call = Call(request.method or "", parts.path, parts.query, {}, b"")
        self.meanwhile(call)
        permissions = needed(call)
        self.needed.update(permissions)
        for missing in self._missing(permissions):
            verb, resource = missing.split()
            said = (
                f'{resource}.argoproj.io is forbidden: User "system:serviceaccount:flows:someone" cannot '
                f'{verb} resource "{resource}" in API group "argoproj.io" in the namespace "default"'
            )
            made = says(403, {"code": 7, "message": said})()
            made.request, made.url = request, str(request.url)
            return made
        return self._behind.send(request, *args, **kwargs)

    def _missing(self, permissions: Iterable[str]) -> Iterator[str]:
        # Where the log of a pod is denied, Argo's server sends the others, and says nothing.
        return (
            each
            for each in permissions
            if self.allowed is not None and each not in self.allowed and each != "get pods/log"
        )

    def close(self) -> None:
        """There is nothing to close."""
