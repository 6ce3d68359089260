"""Calls of Argo's API, held against Argo's own description of it, as Hera's client has that."""

from __future__ import annotations

import inspect
import json
import re
import typing
from dataclasses import dataclass
from urllib.parse import parse_qs

from hera.events import models as events_models
from hera.events.service import EventsService
from hera.workflows import WorkflowsService
from hera.workflows import models as hera_models
from pydantic import BaseModel


@dataclass(frozen=True)
class Api:
    """One call of Argo's API, as Hera has it from Argo's OpenAPI description."""

    path: re.Pattern[str]
    queries: frozenset[str]
    body: type[BaseModel] | None


def apis() -> dict[tuple[str, str], Api]:
    """All calls, by method and path."""
    found = {}
    functions = [
        (function, models)
        for service, models in ((WorkflowsService, hera_models), (EventsService, events_models))
        for _, function in inspect.getmembers(service, inspect.isfunction)
    ]
    for function, models in functions:
        source = inspect.getsource(function)
        method = re.search(r'method="(\w+)"', source)
        path = re.search(r'urljoin\(\s*self\.host,\s*"(api/v1/[^"]*)"', source)
        if method is None or path is None:
            continue
        # An event need not have a discriminator.
        escaped = re.escape(path[1]).replace(re.escape("{discriminator}"), "[^/]*")
        pattern = re.compile("/" + re.sub(r"\\{\w+\\}", "[^/]+", escaped))
        params = re.search(r"params=\{(.*?)\}", source, re.S)
        queries = frozenset(re.findall(r'"([\w.]+)":', params[1]) if params else ())
        hints = typing.get_type_hints(function, vars(models))
        found[method[1].upper(), path[1]] = Api(pattern, queries, hints.get("req"))
    # Argo has it (event.proto), and Hera does not.
    listed = found["GET", "api/v1/workflow-templates/{namespace}"].queries
    bindings = "api/v1/workflow-event-bindings/{namespace}"
    found["GET", bindings] = Api(re.compile("/api/v1/workflow-event-bindings/[^/]+"), listed, None)
    return found


APIS = apis()


@dataclass(frozen=True)
class Call:
    """What was sent."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    def name(self) -> str:
        """The method, and the path with its variables, of the call that this is."""
        fitting = [
            key for key, api in APIS.items() if key[0] == self.method and api.path.fullmatch(self.path)
        ]
        assert fitting, f"{self.method} {self.path} is no call of Argo's"
        # `workflows/{namespace}/submit` and `workflows/{namespace}/{name}`: the one with fewer variables.
        return " ".join(min(fitting, key=lambda key: key[1].count("{")))

    def check(self) -> None:
        """Demand that Argo knows everything in it."""
        method, path = self.name().split(" ")
        api = APIS[method, path]
        unknown = parse_qs(self.query, keep_blank_values=True).keys() - api.queries
        assert not unknown, f"{method} {path}: {unknown}"
        assert self.headers["authorization"].startswith("Bearer ")
        if api.body is None:
            assert not self.body
            return
        sent = json.loads(self.body)
        taken = api.body.model_validate(sent).model_dump(mode="json", by_alias=True, exclude_unset=True)
        # A field that the model does not know would be missing.
        assert taken == sent
