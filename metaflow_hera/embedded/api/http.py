"""What all calls of the API share: what they work on, how a body is read, how an error is worded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from metaflow_hera.embedded.engine import Engine
from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.storage.reader import Reader, dump

OBJECT_LIMIT = 1_572_864
"""Bytes of an object: etcd's default `--max-request-bytes`, 1.5 MiB."""

BODY_LIMIT = 3 * 1024 * 1024
"""Bytes of a request: the limit of Kubernetes' API server."""

DEPTH_LIMIT = 100
"""How deep the JSON of a body may be nested. An Argo object has fewer than thirty levels; the code that walks
through one recurses for each level."""

# gRPC status codes, and the HTTP status that grpc-gateway gives each.
INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED = 3, 5, 6, 7
UNIMPLEMENTED, INTERNAL, UNAUTHENTICATED = 12, 13, 16
HTTP_STATUS = {2: 500, 3: 400, 5: 404, 6: 409, 7: 403, 12: 501, 13: 500, 16: 401}


class ApiError(Exception):
    """A call that is refused; `code` is gRPC's."""

    def __init__(self, code: int, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = HTTP_STATUS[code] if status is None else status

    def response(self) -> Response:
        """As grpc-gateway words it."""
        return json_response({"code": self.code, "message": str(self)}, self.status)


class BadQuery(ApiError):
    """A parameter of a query cannot be read: grpc-gateway refuses it before any stream begins."""

    def __init__(self, message: str) -> None:
        super().__init__(INVALID_ARGUMENT, message)


def not_found(resource: str, name: str) -> ApiError:
    """There is no such object, in Kubernetes' words."""
    return ApiError(NOT_FOUND, f'{resource}.argoproj.io "{name}" not found')


def unsupported(what: str) -> ApiError:
    """Argo can do it, the embedded Argo cannot."""
    return ApiError(UNIMPLEMENTED, f"{what} is not supported by the embedded Argo")


def check_size(obj: JSON) -> None:
    """Refuse an object that no cluster's etcd would store, in etcd's words."""
    if len(dump(obj).encode()) > OBJECT_LIMIT:
        raise ApiError(INTERNAL, "etcdserver: request is too large")


def json_response(value: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return text_response(dump(value), status)


def text_response(text: str, status: int = 200) -> Response:
    """An answer that is JSON already."""
    return Response(text.encode("utf-8", "replace"), status, media_type="application/json")


@dataclass(frozen=True, slots=True)
class Services:
    """What the calls work on."""

    reader: Reader
    engine: Engine


@dataclass(frozen=True, slots=True)
class Call:
    """One request, parsed; `accept` is its header of this name."""

    services: Services
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: JSON
    accept: str = ""

    @property
    def namespace(self) -> str:
        """The namespace in the path; some lists have none, which means all."""
        return self.path.get("namespace", "")

    @property
    def name(self) -> str:
        """The object's name, from the path."""
        return self.path["name"]


async def read_body(request: Request) -> JSON:
    """The JSON object of a request's body; an empty body is an empty object."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise ApiError(INVALID_ARGUMENT, f"Request entity too large: limit is {BODY_LIMIT}", status=413)
    if not body.strip():
        return {}
    return parse_body(body)


def parse_body(body: bytes) -> JSON:
    """The JSON object in these bytes. Raises ApiError, and nothing else, if they hold none."""
    try:
        value = json.loads(body, parse_constant=_refuse)
    except RecursionError as error:
        raise ApiError(INVALID_ARGUMENT, "exceeded max depth") from error
    except UnicodeDecodeError as error:
        raise ApiError(INVALID_ARGUMENT, f"invalid UTF-8: {error.reason}") from error
    except json.JSONDecodeError as error:
        rest = error.doc[error.pos :].strip()
        # For a text that stops too early, the words of Go's decoder.
        early = not rest or error.msg.startswith("Unterminated")
        found = f"invalid character {rest[:1]!r} in the body, at {error.pos}"
        raise ApiError(INVALID_ARGUMENT, "unexpected EOF" if early else found) from error
    except ValueError as error:  # NaN, or a number with more digits than Python reads
        raise ApiError(INVALID_ARGUMENT, f"invalid number: {error}") from error
    if not isinstance(value, dict):
        raise ApiError(INVALID_ARGUMENT, "the body must be a JSON object")
    _check_parts(value)
    return value


def _refuse(word: str) -> Any:
    raise ValueError(word)


def _check_parts(value: JSON) -> None:
    """Refuse nesting that is too deep, and lone surrogates, which are not valid text."""
    level: list[Any] = [value]
    for _ in range(DEPTH_LIMIT):
        texts = [part for part in level if isinstance(part, str)]
        parts = [part for part in level if isinstance(part, (dict, list))]
        texts += [key for part in parts if isinstance(part, dict) for key in part]
        if any(any("\ud800" <= char <= "\udfff" for char in text) for text in texts if not text.isascii()):
            raise ApiError(INVALID_ARGUMENT, "invalid UTF-8: a surrogate without its other half")
        if not parts:
            return
        level = [item for part in parts for item in (part.values() if isinstance(part, dict) else part)]
    raise ApiError(INVALID_ARGUMENT, "exceeded max depth")
