"""The paths of the page: its files, its login, and what it needs beyond Argo's own API."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.resources import files
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from metaflow_hera.embedded.api.http import (
    INVALID_ARGUMENT,
    NOT_FOUND,
    ApiError,
    Call,
    Services,
    json_response,
    not_found,
)
from metaflow_hera.embedded.api.streams import Hub
from metaflow_hera.embedded.api.workflows import find
from metaflow_hera.embedded.json_object import JSON, count_in
from metaflow_hera.embedded.local.opening import FILE as OPENING_FILE
from metaflow_hera.embedded.page.deployments import Deployments
from metaflow_hera.embedded.page.details import details, manifest
from metaflow_hera.embedded.page.feed import Feed
from metaflow_hera.embedded.page.graph import graph_of
from metaflow_hera.embedded.page.layout import Busy, Layouts
from metaflow_hera.embedded.page.parameters import given, misfits
from metaflow_hera.embedded.page.reading import PageReader
from metaflow_hera.embedded.page.received import received
from metaflow_hera.embedded.page.results import Results
from metaflow_hera.embedded.page.revisions import Revisions
from metaflow_hera.embedded.page.schedules import schedules
from metaflow_hera.embedded.page.search import Search, Wanted
from metaflow_hera.embedded.page.summary import Summaries
from metaflow_hera.embedded.page.tasks import Tasks
from metaflow_hera.embedded.web.session import CARD_HEADERS, HEADERS, LOGIN, OPENS, Session, words

RUNS = 200
"""How many runs are listed, the latest first."""

PAGE = 100
"""How many tasks are listed at a time, at most."""

FORM_BYTES = 1_000

NO_GRAPH = (
    "This run does not tell the graph of its flow: it is no flow's, or was deployed by an older version. "
    "Deploy the flow again: its next runs do."
)
TOO_LARGE = "This graph cannot be drawn: it is too large."
BUSY = "Other graphs are being drawn: load the page again in a moment."

KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
PLACE = re.compile(r"(runs|deployments)/[a-z0-9.-]+/[a-z0-9.-]+")
"""A place of the page, as its script reads it from the address, that a browser may be sent to."""
NAME = re.compile(r"[a-z]+\.(html|css|js|svg)")


class Page:
    """What the page needs from the server.

    Attributes:
        calls: methods, paths and what answers them in a thread.
        routes: those that need the request itself.
    """

    def __init__(self, services: Services, hub: Hub, session: Session) -> None:
        self._engine = services.engine
        self._hub = hub
        self._session = session
        self._reader = PageReader(services.engine.home / "argo.db")
        self._tasks = Tasks(self._reader)
        self._summaries = Summaries(self._reader, self._tasks)
        self._search = Search(self._reader)
        self._deployments = Deployments(self._reader)
        self._revisions = Revisions(self._reader)
        self._layouts = Layouts()
        self._results = Results(self._reader, services.engine.home, hub.closing.is_set)
        named = "/page/runs/{namespace}/{name}"
        self.calls: list[tuple[str, str, Callable[[Call], Response]]] = [
            ("GET", "/page/overview", lambda call: _private(json_response(self._overview(_wanted(call))))),
            ("GET", "/page/received", lambda call: _private(json_response(self._received()))),
            ("GET", "/page/events/received", self._received_events),
            ("GET", named, self._run),
            ("GET", f"{named}/tasks", self._list_tasks),
            ("GET", f"{named}/parameters", self._parameters),
            ("GET", f"{named}/graph", self._graph),
            ("GET", f"{named}/details", self._details),
            ("GET", f"{named}/results", self._task_results),
            ("GET", f"{named}/card", self._card),
            ("GET", "/page/events", self._overview_events),
            ("GET", "/page/events/{namespace}/{name}", self._run_events),
            ("POST", "/page/deployments/{namespace}/{name}/check", self._check),
            ("GET", "/page/deployments/{namespace}/{name}/versions", self._versions),
            ("GET", "/page/deployments/{namespace}/{name}/changes", self._changes),
        ]
        self.routes = [
            Route("/page/code", self._code, methods=["POST"]),
            Route(LOGIN, self._login, methods=["GET", "POST", "HEAD"]),
            Route("/", self._index, methods=["GET"]),
            Route("/page/static/{name}", self._file, methods=["GET"]),
        ]

    def _overview(self, wanted: Wanted) -> JSON:
        now = self._engine.clock()
        heads = self._search.runs(wanted, now, RUNS)
        place = (wanted.namespace, wanted.template)
        return {
            "deployments": self._deployments.all(),
            "runs": [self._summaries.run(head) for head in heads],
            "schedules": schedules(self._reader, *place, self._engine.wall()) if wanted.template else [],
            "now": now,
        }

    def _overview_events(self, call: Call) -> StreamingResponse:
        wanted = _wanted(call)
        return Feed(lambda: self._overview(wanted), version=self._reader.version).response(self._hub)

    def _received(self) -> JSON:
        return {"events": received(self._reader), "now": self._engine.clock()}

    def _received_events(self, call: Call) -> StreamingResponse:
        return Feed(self._received, version=self._reader.last_event).response(self._hub)

    def _details(self, call: Call) -> Response:
        head = find(call)
        if "manifest" in call.query:
            return _private(json_response({"yaml": manifest(self._reader, head)}))
        return _private(json_response(details(self._reader, head)))

    def _run(self, call: Call) -> Response:
        return _private(json_response(self._summaries.whole(find(call), self._engine.clock())))

    def _run_events(self, call: Call) -> StreamingResponse:
        uid = find(call).uid

        def look() -> JSON | None:
            head = self._reader.head_by_uid(uid)
            return self._summaries.whole(head, self._engine.clock()) if head is not None else None

        return Feed(look, uid).response(self._hub)

    def _list_tasks(self, call: Call) -> Response:
        try:
            offset, limit = int(call.query.get("offset", "0")), int(call.query.get("limit", str(PAGE)))
        except ValueError as error:
            raise ApiError(INVALID_ARGUMENT, "offset and limit must be numbers") from error
        if "id" in call.query:
            task = self._tasks.task(find(call), call.query["id"])
            return _private(json_response({"tasks": [task] if task else []}))
        path = call.query.get("path", "")
        page = self._tasks.page(find(call), path, max(0, offset), max(1, min(limit, PAGE)))
        return _private(json_response(page))

    def _parameters(self, call: Call) -> Response:
        found = given(self._reader.arguments(find(call).uid), longest=None)
        return _private(json_response({"parameters": found}))

    def _graph(self, call: Call) -> Response:
        """The picture of a run's flow; what its tasks do comes with the events."""
        steps = graph_of(json.loads(find(call).metadata).get("annotations") or {})
        if not steps:
            return _private(json_response({"missing": NO_GRAPH}))
        try:
            picture = self._layouts.of(steps)
        except Busy:
            return _private(json_response({"missing": BUSY}))
        return _private(json_response(picture or {"missing": TOO_LARGE}))

    def _task_results(self, call: Call) -> Response:
        return _private(json_response(self._results.task(find(call), call.query.get("id", ""))))

    def _card(self, call: Call) -> Response:
        """A card, as a document that can do nothing but show itself."""
        number = count_in(call.query.get("number", "0"))
        html = (
            self._results.card(find(call), call.query.get("id", ""), number) if number is not None else None
        )
        if html is None:
            answer = words("No card", "This card is not there any more.", 404)
            answer.headers.update(CARD_HEADERS)  # it is shown in the same frame
            return answer
        return Response(html, headers=CARD_HEADERS, media_type="text/html")

    def _check(self, call: Call) -> Response:
        """What is wrong with the values that were typed into the form of a deployment."""
        template = self._reader.object("workflowtemplates", call.namespace, call.name)
        if template is None:
            raise not_found("workflowtemplates", call.name)
        return _private(json_response({"misfits": misfits(template, call.body.get("values") or {})}))

    def _versions(self, call: Call) -> Response:
        return _private(json_response({"versions": self._revisions.all(call.namespace, call.name)}))

    def _changes(self, call: Call) -> Response:
        """What changed in a deployment between two of its versions."""
        before, after = count_in(call.query.get("from", "")), count_in(call.query.get("to", ""))
        if before is None or after is None:
            raise ApiError(INVALID_ARGUMENT, "from and to must be numbers of revisions")
        lines = self._revisions.changes(call.namespace, call.name, before, after)
        if lines is None:
            raise ApiError(NOT_FOUND, "One of these versions is not kept any more.")
        return _private(json_response({"lines": lines}))

    async def _code(self, request: Request) -> Response:
        """A code for a browser, for callers with the token: a browser's cookie cannot get more cookies."""
        if "authorization" not in request.headers:
            return words("Not allowed", "Only a caller with the token can ask for a code.", 403)
        return _private(json_response({"code": self._session.new_code()}))

    async def _login(self, request: Request) -> Response:
        if request.method == "HEAD":  # a program that checks links: the code stays valid
            return Response()
        code = request.query_params.get("code", "")
        if request.method == "POST":
            body = b""
            async for chunk in request.stream():
                body += chunk
                if len(body) > FORM_BYTES:
                    break
            code = (parse_qs(body[:FORM_BYTES].decode("latin-1")).get("code") or [""])[0]
        if not self._session.use(code):
            text = "This link was used, or is older than a minute. For another one, run in a terminal:"
            return words("Not logged in", text, 403, command=OPENS)
        # The file that `mfhera local open` had the browser open is no longer needed.
        (self._engine.home / OPENING_FILE).unlink(missing_ok=True)
        # No redirect: on one that began elsewhere, a browser sends no SameSite=Strict cookie.
        place = request.query_params.get("to", "")
        onward = f"/#/{place}" if PLACE.fullmatch(place) else "/"
        answer = words("Logged in", "One moment.", 200, onward=onward)
        answer.headers["Set-Cookie"] = self._session.cookie
        return answer

    async def _index(self, request: Request) -> Response:
        return _static("index.html")

    async def _file(self, request: Request) -> Response:
        return _static(request.path_params["name"])


def _wanted(call: Call) -> Wanted:
    try:
        return Wanted.from_query(call.query)
    except ValueError as error:
        raise ApiError(INVALID_ARGUMENT, "hours must be a number") from error


def _static(name: str) -> Response:
    found = files("metaflow_hera.embedded.page") / "static" / name
    if not NAME.fullmatch(name) or not found.is_file():
        return words("Not found", "There is no such file.", 404)
    kind = KINDS[name[name.rindex(".") :]]
    return Response(found.read_bytes(), headers=HEADERS, media_type=kind)


def _private(answer: Response) -> Response:
    answer.headers.update(HEADERS)
    return answer
