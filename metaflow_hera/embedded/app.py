"""The routes of Argo's REST API.

The calls are plain functions that run in a thread; what they change goes through the engine's one writer.
A path that this server does not have is answered as grpc-gateway answers it; where Argo has it, by its name.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from metaflow_hera.embedded.api import crons, events, sensors, streams, templates, workflows
from metaflow_hera.embedded.api.framing import Framing
from metaflow_hera.embedded.api.http import (
    INTERNAL,
    INVALID_ARGUMENT,
    UNIMPLEMENTED,
    ApiError,
    BadQuery,
    Call,
    Services,
    json_response,
    read_body,
    unsupported,
)
from metaflow_hera.embedded.api.streams import Hub
from metaflow_hera.embedded.page.routes import Page
from metaflow_hera.embedded.rules import validation
from metaflow_hera.embedded.rules.field_types import WrongType, without_unknown
from metaflow_hera.embedded.rules.requests import OF_PATH
from metaflow_hera.embedded.web.guard import Guard
from metaflow_hera.embedded.web.session import Session

Handler = Callable[[Call], Response]

log = logging.getLogger(__name__)

VERSION_HEADER = "Grpc-Metadata-Argo-Version"
VERSION = {
    "version": "v4.1.2", "buildDate": "1970-01-01T00:00:00Z", "gitCommit": "", "gitTag": "v4.1.2",
    "gitTreeState": "clean", "goVersion": "", "compiler": "", "platform": "embedded",
}  # fmt: skip
INFO = {
    "managedNamespace": "argo",
    "modals": {"feedback": False, "firstTimeUser": False, "newVersion": False},
}


def application(services: Services, hub: Hub, token: str, webhook_secret: str, session_secret: str) -> Guard:
    """The API and its page, guarded by the token or by the page's cookie.

    The webhook also takes a secret in its path.
    """

    def version(call: Call) -> Response:
        return json_response(VERSION)

    def info(call: Call) -> Response:
        return json_response(INFO)

    def user(call: Call) -> Response:
        return json_response({})

    named = "/{namespace}/{name}"
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/version", version),
        ("GET", "/info", info),
        ("GET", "/userinfo", user),
        *_crud("/workflow-templates", templates),
        *_crud("/cron-workflows", crons),
        ("PUT", f"/cron-workflows{named}/suspend", crons.suspend),
        ("PUT", f"/cron-workflows{named}/resume", crons.resume),
        *_crud("/sensors", sensors, lint=False),
        ("POST", "/events/{namespace}/{discriminator}", events.receive),
        ("POST", "/events/{namespace}/", events.receive),
        ("GET", "/workflows/{namespace}", workflows.list_all),
        ("GET", "/workflows/", workflows.list_all),
        ("POST", "/workflows/{namespace}", workflows.create),
        ("POST", "/workflows/{namespace}/lint", workflows.lint),
        ("POST", "/workflows/{namespace}/submit", workflows.submit),
        ("GET", f"/workflows{named}", workflows.get),
        ("DELETE", f"/workflows{named}", workflows.delete),
        ("PUT", f"/workflows{named}/retry", workflows.retry),
        ("PUT", f"/workflows{named}/resubmit", workflows.resubmit),
        ("PUT", f"/workflows{named}/suspend", workflows.suspend),
        ("PUT", f"/workflows{named}/resume", workflows.resume),
        ("PUT", f"/workflows{named}/stop", workflows.stop),
        ("PUT", f"/workflows{named}/terminate", workflows.terminate),
    ]
    logs: Handler = lambda call: streams.logs(call, hub)  # noqa: E731
    watch: Handler = lambda call: streams.watch(call, hub)  # noqa: E731
    streamed: list[tuple[str, Handler]] = [
        (f"/workflows{named}/log", logs),
        (f"/workflows{named}/{{podName}}/log", logs),
        ("/workflow-events/{namespace}", watch),
        ("/workflow-events/", watch),
        ("/stream/events/{namespace}", streams.kubernetes_events),
        ("/stream/events/", streams.kubernetes_events),
    ]
    routes = [_route(method, f"/api/v1{path}", handler, services) for method, path, handler in table]
    routes += [_route("GET", f"/api/v1{path}", handler, services, streams=True) for path, handler in streamed]
    session = Session(session_secret)
    page = Page(services, hub, session)
    routes += [_route(method, path, handler, services) for method, path, handler in page.calls]
    routes += page.routes
    open_path = events.open_path(webhook_secret)
    # The guard has checked the secret; being a part of the path, it stays out of the log.
    for path in ("", "/{namespace}", "/{secret}/{namespace}"):
        routes.append(_route("POST", f"{events.WEBHOOK}{path}", events.receive, services))
    routes.append(Route("/{path:path}", _unknown, methods=[*_METHODS]))
    return Guard(Starlette(routes=routes), token, open_path, session)


_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")


def _crud(path: str, module: Any, *, lint: bool = True) -> list[tuple[str, str, Handler]]:
    return [
        ("GET", f"{path}/{{namespace}}", module.list_all),
        ("POST", f"{path}/{{namespace}}", module.create),
        *([("POST", f"{path}/{{namespace}}/lint", module.lint)] if lint else []),
        ("GET", f"{path}/{{namespace}}/{{name}}", module.get),
        ("PUT", f"{path}/{{namespace}}/{{name}}", module.update),
        ("DELETE", f"{path}/{{namespace}}/{{name}}", module.delete),
    ]


def _route(method: str, path: str, handler: Handler, services: Services, *, streams: bool = False) -> Route:
    async def endpoint(request: Request) -> Response:
        accept = request.headers.get("accept", "")
        try:
            body = await read_body(request) if method in ("POST", "PUT") else {}
            if path in OF_PATH:
                body = without_unknown(body, OF_PATH[path])
            call = Call(services, request.path_params, request.query_params, body, accept)
            answer = await run_in_threadpool(handler, call)
            if not streams:  # Argo's server tells its version in each answer that is a success
                answer.headers[VERSION_HEADER] = VERSION["version"]
            return answer
        except ApiError as error:
            if streams and not isinstance(error, BadQuery):
                return Framing(accept).error(error)
            return error.response()
        except WrongType as error:
            return ApiError(INVALID_ARGUMENT, str(error)).response()
        except validation.Invalid as error:
            return json_response({"code": error.code, "message": error.message}, error.status)
        except sqlite3.DatabaseError as error:
            log.exception("%s %s", method, path)
            what = f"the database of the embedded Argo cannot be read ({error}): see mfhera local status"
            return ApiError(INTERNAL, what).response()
        except Exception as error:
            log.exception("%s %s", method, path)
            return ApiError(INTERNAL, f"{type(error).__name__}: {error}").response()

    # Starlette adds HEAD to every GET, and answers a wrong method itself: here the last route does.
    route = Route(path, endpoint, methods=[method])
    route.methods = {method}
    return route


# What Argo has and this server has not, by how its paths begin or end.
_NOT_HERE = {
    "archived-workflows": "the archive of workflows",
    "cluster-workflow-templates": "ClusterWorkflowTemplate",
    "event-sources": "EventSource",
    "stream": "a stream of sensors or event sources",
    "sync": "synchronization",
    "tracking": "tracking",
}


async def _unknown(request: Request) -> Response:
    parts = request.url.path.removeprefix("/api/v1/").split("/")
    if request.method == "PUT" and parts[0] == "workflows" and parts[-1] == "set":
        return unsupported("setting a node").response()
    for start, what in _NOT_HERE.items():
        if parts[0].startswith(start):
            return unsupported(what).response()
    return ApiError(UNIMPLEMENTED, "Not Implemented").response()
