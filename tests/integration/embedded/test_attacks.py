"""What callers without a right, broken bodies and hostile pods get: a refusal, and the server goes on.

Each test is a table of cases; what was refused is counted, and the last test prints the count.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast
from unittest.mock import MagicMock

import httpx
import pytest
from harness import PLAIN, SECONDS

from metaflow_hera.embedded.api.http import BODY_LIMIT, DEPTH_LIMIT
from metaflow_hera.embedded.app import application
from metaflow_hera.embedded.web import guard
from metaflow_hera.embedded.web.session import LOGIN, Session

from .conftest import Argo, pod_spec

REFUSED: Counter[str] = Counter()
NOBODY = cast(Any, None)
ROUTES = sorted(
    (method, route.path.replace("{path:path}", "nowhere"))
    for route in cast(Any, application(MagicMock(), MagicMock(), "token", "secret", "session"))._app.routes
    for method in getattr(route, "methods", None) or ["GET"]
    if method != "HEAD" and route.path != LOGIN
)
CHANGING = [route for route in ROUTES if route[0] != "GET"]


@pytest.fixture(autouse=True)
def _counted(record_property: Callable[[str, object], None]) -> Iterator[None]:
    """Note how many cases a test refused, for the summary of the whole suite."""
    before = REFUSED.copy()
    yield
    record_property("refused", dict(REFUSED - before))


def filled(path: str) -> str:
    """A path of a route with something for each of its parts."""
    return "/".join("argo" if part.startswith("{") else part for part in path.split("/"))


def send(argo: Argo, method: str, path: str, **options: Any) -> httpx.Response:
    """A call without the headers that the client has."""
    return httpx.request(method, argo.server.url + path, **PLAIN, timeout=SECONDS, **options)


def refused(kind: str, answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in statuses, (answer.status_code, answer.text[:300])
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    REFUSED[kind] += 1


def bearer(argo: Argo) -> dict[str, str]:
    return {"Authorization": f"Bearer {argo.server.token}"}


# Who may call.


def test_there_are_routes_to_try() -> None:
    assert len(ROUTES) > 40
    assert ("DELETE", "/api/v1/workflows/{namespace}/{name}") in ROUTES


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", "Bearer \xff", "Basic OnRva2Vu", "token"]
)
def test_no_route_answers_without_the_token(argo: Argo, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    for method, path in ROUTES:
        refused("token", send(argo, method, filled(path), headers=headers), 401)


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t + "x", str.swapcase, lambda t: t * 2])
def test_what_is_nearly_the_token_is_not(argo: Argo, change: Any) -> None:
    headers = {"Authorization": f"Bearer {change(argo.server.token)}"}
    refused("token", send(argo, "GET", "/api/v1/version", headers=headers), 401)


@pytest.mark.parametrize("name", ["token", "access_token", "authorization", "Authorization", "bearer"])
@pytest.mark.parametrize("form", ["{}", "Bearer {}"])
def test_the_token_is_not_taken_from_the_address(argo: Argo, name: str, form: str) -> None:
    query = {name: form.format(argo.server.token)}
    refused("token", send(argo, "GET", "/api/v1/version", params=query), 401)
    refused("token", send(argo, "POST", "/api/v1/workflows/argo", params=query), 401)


def test_the_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    monkeypatch.setattr(guard.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or False)
    sent: list[Any] = []

    async def call() -> None:
        headers = [(b"host", b"localhost"), (b"authorization", b"Bearer guess")]
        scope = {"type": "http", "path": "/api/v1/version", "headers": headers, "method": "GET"}

        async def note(message: Any) -> None:
            sent.append(message)

        app = guard.Guard(NOBODY, "right", "/webhook/secret/", Session("session"))
        await app(scope, NOBODY, note)

    asyncio.run(call())
    assert sent[0]["status"] == 401
    assert (b"guess", b"right") in compared


def cookie(argo: Argo) -> dict[str, str]:
    """What a browser that is let in sends."""
    return {"Cookie": Session((argo.home / "session").read_text().strip()).cookie.partition(";")[0]}


def test_the_cookie_changes_nothing_for_another_page(argo: Argo) -> None:
    assert send(argo, "GET", "/api/v1/version", headers=cookie(argo)).status_code == 200
    for more in (
        {},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
    ):
        for method, path in CHANGING:
            refused("cookie", send(argo, method, filled(path), headers={**cookie(argo), **more}), 401)
    for site in ("same-site", "cross-site"):
        headers = {**cookie(argo), "Sec-Fetch-Site": site}
        refused("cookie", send(argo, "GET", "/api/v1/version", headers=headers), 401)


@pytest.mark.parametrize(
    "change", [lambda c: c[:-1], lambda c: c + "x", lambda c: c.partition("=")[0] + "=", str.upper]
)
def test_what_is_nearly_the_cookie_is_not(argo: Argo, change: Any) -> None:
    headers = {"Cookie": change(cookie(argo)["Cookie"])}
    refused("cookie", send(argo, "GET", "/api/v1/version", headers=headers), 401)


@pytest.mark.parametrize(
    "name",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example:80",
        "0.0.0.0",
        "[::1]",
        "",
        "localhost.",
        "localhosT.x",
    ],
)
def test_no_change_for_another_host(argo: Argo, name: str) -> None:
    for method, path in CHANGING:
        refused("host", send(argo, method, filled(path), headers={**bearer(argo), "Host": name}), 400, 403)


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "https://127.0.0.1",
        "http://127.0.0.1",
        "http://localhost:1",
        "file://",
        "",
    ],
)
def test_no_change_for_another_origin(argo: Argo, origin: str) -> None:
    for method, path in CHANGING:
        headers = {**bearer(argo), "Origin": origin}
        refused("origin", send(argo, method, filled(path), headers=headers), 403)


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "POST"])
@pytest.mark.parametrize("path", ["/api/v1/version", "/api/v1/workflows/argo", "/webhook"])
def test_no_other_site_is_let_in_by_a_preflight(argo: Argo, method: str, path: str) -> None:
    headers = {
        "Origin": "http://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    refused("preflight", send(argo, method, path, headers=headers), 401, 403)
    answer = send(argo, "OPTIONS", path, headers=bearer(argo))
    refused("preflight", answer, 501)


# Bodies.


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 65536):
        yield b" " * 65536


DEEP = {
    "lists": b'{"workflow":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "maps": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "unclosed": b'{"workflow":' + b"[" * 100_000,
    "just too deep": b'{"a":' * DEPTH_LIMIT + b"[]" + b"}" * DEPTH_LIMIT,
    "in a spec": b'{"workflow":{"metadata":{"name":"x"},"spec":' + b'{"a":' * 900 + b"1" + b"}" * 902,
}
BAD = {
    "nothing": b"nonsense",
    "a list": b"[]",
    "a number": b"1",
    "a text": b'"x"',
    "cut off": b'{"workflow": ',
    "two objects": b"{}{}",
    "bytes": b"\xff\xfe\x00",
    "bad UTF-8": b'{"a": "\xff"}',
    "NaN": b'{"a": NaN}',
    "infinity": b'{"a": -Infinity}',
    "endless number": b'{"a": ' + b"9" * 10_000 + b"}",
    "half a character": b'{"workflow": {"metadata": {"name": "x\\ud800"}}}',
    "half a character as a key": b'{"\\udfff": 1}',
    "NUL": b'{"a": "\x00"}',
    **DEEP,
}


@pytest.mark.parametrize("name", BAD)
def test_a_body_that_is_no_object(argo: Argo, name: str) -> None:
    for method, path in (
        ("POST", "/api/v1/workflows/argo"),
        ("POST", "/api/v1/workflow-templates/argo"),
        ("PUT", "/api/v1/workflows/argo/x/retry"),
        ("POST", "/api/v1/events/argo/x"),
    ):
        answer = send(argo, method, path, content=BAD[name], headers=bearer(argo))
        refused("body", answer, 400)
        assert set(answer.json()) == {"code", "message"}


def test_a_body_above_the_limit(argo: Argo) -> None:
    for body in (b" " * (BODY_LIMIT + 1), chunks(BODY_LIMIT + 65536)):
        answer = send(argo, "POST", "/api/v1/workflows/argo", content=body, headers=bearer(argo))
        refused("size", answer, 413)


def test_an_object_above_the_limit(argo: Argo) -> None:
    spec = pod_spec("true")
    spec["arguments"] = {"parameters": [{"name": f"p{i}", "value": "x" * 40} for i in range(30_000)]}
    answer = argo.http.post(
        "/workflows/argo", json={"workflow": {"metadata": {"name": "huge"}, "spec": spec}}
    )
    refused("size", answer, 500)
    assert answer.json()["message"] == "etcdserver: request is too large"


def test_many_parameters_are_no_harm(argo: Argo) -> None:
    spec = pod_spec("true")
    spec["arguments"] = {"parameters": [{"name": f"p{i}", "value": "x"} for i in range(10_000)]}
    assert argo.end(argo.run(spec))["status"]["phase"] == "Succeeded"


@pytest.mark.parametrize("size", [300_000, 2_000_000])
def test_headers_above_the_limit(argo: Argo, size: int) -> None:
    try:
        answer = send(argo, "GET", "/api/v1/version", headers={**bearer(argo), "X-Long": "x" * size})
    except httpx.TransportError:
        REFUSED["size"] += 1
    else:
        refused("size", answer, 400, 431)


@pytest.mark.parametrize(
    "begin",
    [
        b"GET /",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Long: ",
    ],
    ids=["address", "value", "name", "trailer"],
)
def test_a_head_without_end(argo: Argo, begin: bytes) -> None:
    address = ("127.0.0.1", int(argo.server.url.rsplit(":", 1)[1]))
    with socket.create_connection(address, SECONDS) as client:
        client.sendall(begin)
        with pytest.raises(ConnectionError):  # the server closes it
            client.sendall(b"x" * 100_000_000)
    REFUSED["size"] += 1


def test_a_request_that_is_not_http(argo: Argo) -> None:
    for text in (
        b"\x16\x03\x01\x00\xff",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0" * 100 + b"\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", int(argo.server.url.rsplit(":", 1)[1])), 10) as client:
            client.sendall(text)
            client.shutdown(socket.SHUT_WR)
            assert b" 200 " not in client.recv(4096).split(b"\n")[0]
        REFUSED["body"] += 1


POD: Any = pod_spec("true")["templates"][0]
WRONG: dict[str, Any] = {
    "metadata": {"metadata": [], "spec": pod_spec("true")},
    "name": {"metadata": {"name": 1}, "spec": pod_spec("true")},
    "labels": {"metadata": {"labels": {"a": 1}}, "spec": pod_spec("true")},
    "spec": {"spec": "x"},
    "templates": {"spec": {"entrypoint": "main", "templates": {"name": "main"}}},
    "template": {"spec": {"entrypoint": "main", "templates": ["main"]}},
    "entrypoint": {"spec": {"entrypoint": ["main"], "templates": [POD]}},
    "container": {"spec": {"entrypoint": "main", "templates": [{"name": "main", "container": "x"}]}},
    "args": {"spec": {"entrypoint": "main", "templates": [
        {**POD, "container": {**POD["container"], "args": [1]}}]}},
    "parallelism": {"spec": {**pod_spec("true"), "parallelism": "many"}},
    "suspend": {"spec": {**pod_spec("true"), "suspend": "yes"}},
    "parameters": {"spec": {**pod_spec("true"), "arguments": {"parameters": {"a": 1}}}},
    "tasks": {"spec": {"entrypoint": "main", "templates": [POD, {"name": "d", "dag": {"tasks": 1}}]}},
    "steps": {"spec": {"entrypoint": "main", "templates": [POD, {"name": "d", "steps": [{"name": "a"}]}]}},
    "items": {"spec": {"entrypoint": "main", "templates": [{"name": "main", "dag": {"tasks": [
        {"name": "a", "template": "main", "withItems": 3}]}}]}},
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_an_object_of_wrong_types(argo: Argo, name: str) -> None:
    for path, key in (
        ("workflows/argo", "workflow"),
        ("workflows/argo/lint", "workflow"),
        ("workflow-templates/argo", "template"),
        ("workflow-templates/argo/lint", "template"),
    ):
        answer = argo.http.post(f"/{path}", json={key: {"metadata": {"name": "wrong"}, **WRONG[name]}})
        refused("types", answer, 400)
        assert answer.json()["message"].startswith("json: cannot unmarshal")
    cron = {"schedules": ["0 0 * * *"], "workflowSpec": WRONG[name]["spec"]}
    if name not in ("metadata", "name", "labels"):
        body = {"cronWorkflow": {"metadata": {"name": "wrong"}, "spec": cron}}
        refused("types", argo.http.post("/cron-workflows/argo", json=body), 400)


# Names and paths.

NAMES = [
    "..", ".", "../x", "a/b", "/etc/passwd", "a\0b", "a\nb", "a b", "A", "-a", "a-", "a\\b", "ä", "a;b",
    "$(id)", "a" * 254, "a.-b", "%2e%2e", "a\u202eb", "'", '"', "<b>", "{{x}}",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_none(argo: Argo, name: str) -> None:
    for path, key in (("workflows", "workflow"), ("workflow-templates", "template")):
        body = {key: {"metadata": {"name": name}, "spec": pod_spec("true")}}
        answer = argo.http.post(f"/{path}/argo", json=body)
        refused("name", answer, 400)
    template = {
        "name": name if len(name) < 200 else name * 2,
        "container": {"image": "x", "command": ["true"]},
    }
    spec = {"entrypoint": template["name"], "templates": [template]}
    if name not in ("A", "a-", "a" * 254):
        refused("name", argo.http.post("/workflows/argo", json={"workflow": {"spec": spec}}), 400)


PATHS = [
    "/workflows/argo/..%2f..%2ftoken",
    "/workflows/..%2f..%2f..%2fetc/passwd",
    "/workflows/argo/%00",
    "/workflows/argo/x%0ay",
    "/workflows/argo/%2e%2e/log",
    "/workflows/argo/nope/..%2f..%2fargo.db/log",
    "/workflow-templates/argo/..%2ftoken",
    "/sensors/argo/%2e%2e%2f%2e%2e",
    "/..%2f..%2ftoken",
    "//etc/passwd",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_out_of_the_api(argo: Argo, path: str) -> None:
    with httpx.Client(**PLAIN, headers=bearer(argo)) as client:
        answer = client.send(client.build_request("GET", f"{argo.server.url}/api/v1{path}"))
    refused("path", answer, 404, 501)
    assert argo.server.token not in answer.text


def test_the_log_of_a_pod_that_is_none(argo: Argo) -> None:
    name = argo.run(pod_spec("echo hello"))
    argo.end(name)
    for pod in ("../../etc/passwd", "..", "../token", f"{name}/../../token", "%", "_", "x' OR '1'='1", "\0"):
        for query in ({"podName": pod}, {"podName": pod, "logOptions.container": "../main"}):
            answer = argo.http.get(f"/workflows/argo/{name}/log", params=query)
            assert (answer.status_code, answer.text) == (200, "")
            REFUSED["log"] += 1
    for option in ("tailLines", "limitBytes"):
        for value in ("-1", "x", "1e9", "\u0661", "../x"):
            answer = argo.http.get(f"/workflows/argo/{name}/log", params={f"logOptions.{option}": value})
            refused("log", answer, 400)
    refused("log", argo.http.get(f"/workflows/argo/{name}/log", params={"grep": "("}), 400)


# Pods.

LINKS = {
    "log": 'ln -sf "$1" "$PWD.logs"',
    "log as a pipe": 'rm "$PWD.logs"; mkfifo "$PWD.logs"',
    "log as a folder": 'rm "$PWD.logs"; mkdir "$PWD.logs"',
    "output": 'ln -sf "$1" /tmp/out',
    "output as a pipe": "mkfifo /tmp/out",
    "output as a device": "ln -s /dev/zero /tmp/out",
    "own folder and output": 'd="$PWD"; ln -s "$1" /tmp/out; cd /; rm -r "$d"; ln -s "$(dirname "$1")" "$d"',
    "message": 'ln -sf "$1" /dev/termination-log; exit 3',
}


@pytest.mark.parametrize("name", LINKS)
def test_a_link_that_a_pod_leaves_is_not_followed(argo: Argo, name: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of another\n")
    outputs = {"parameters": [{"name": "out", "valueFrom": {"path": "/tmp/out", "default": "none"}}]}
    container = {"command": ["sh", "-c", LINKS[name], "sh", str(secret)], "args": []}
    run = argo.run(pod_spec("", container=container, outputs=outputs))
    status = argo.end(run)["status"]
    assert "of another" not in json.dumps(status)
    assert "of another" not in "".join(argo.logs(run))
    REFUSED["link"] += 1


def test_a_folder_of_a_workflow_that_a_pod_made_a_link_is_not_followed(argo: Argo, tmp_path: Path) -> None:
    script = 'd="${PWD%/*}"; echo of another > "$1/${PWD##*/}.logs"; mv "$d" "$d.x"; ln -s "$1" "$d"'
    run = argo.run(pod_spec("", container={"command": ["sh", "-c", script, "sh", str(tmp_path)], "args": []}))
    argo.wait(lambda: list(argo.home.glob("pods/*.x")))
    assert argo.logs(run) == []
    (moved,) = argo.home.glob("pods/*.x")
    link = moved.with_suffix("")
    link.unlink()
    moved.rename(link)
    argo.end(run)
    REFUSED["link"] += 1


SHELL = [
    "$(touch pwned)", "`touch pwned`", "; touch pwned", "| touch pwned", "\n touch pwned\n", "&& touch pwned",
    "' ; touch pwned ; '", '" ; touch pwned ; "', "$IFS", "*", "~", "\\", "-n", "$$", "$(HOME)", "{{=1}}",
]  # fmt: skip


def test_values_reach_a_program_as_they_are(argo: Argo) -> None:
    script = "import json, sys; json.dump(sys.argv[1:], open('/tmp/out', 'w'))"
    tasks = [
        {"name": f"t{i}", "template": "show", "arguments": {"parameters": [{"name": "v", "value": value}]}}
        for i, value in enumerate(SHELL)
    ]
    show = {
        "name": "show",
        "inputs": {"parameters": [{"name": "v"}]},
        "outputs": {"parameters": [{"name": "out", "valueFrom": {"path": "/tmp/out"}}]},
        "container": {
            "image": "x",
            "command": [sys.executable, "-c", script],
            "args": ["{{inputs.parameters.v}}"],
        },
    }
    spec = {"entrypoint": "main", "templates": [show, {"name": "main", "dag": {"tasks": tasks}}]}
    status = argo.end(argo.run(spec))["status"]
    found = {
        node["displayName"]: json.loads(node["outputs"]["parameters"][0]["value"])
        for node in status["nodes"].values()
        if node["type"] == "Pod"
    }
    expanded = {"$$": "$", "{{=1}}": "1"}  # by Kubernetes, by Argo
    assert found == {f"t{i}": [expanded.get(value, value)] for i, value in enumerate(SHELL)}
    assert not list(argo.home.rglob("pwned"))
    REFUSED["shell"] += len(SHELL)


# Secrets.


def test_no_secret_is_told(argo: Argo) -> None:
    secrets = [
        argo.server.token,
        *((argo.home / each).read_text().strip() for each in ("webhook", "session")),
    ]
    sent = send(argo, "POST", f"/webhook/{secrets[1]}/argo", content=b"{}")
    assert sent.status_code == 200
    refused("secret", send(argo, "POST", f"/webhook/{secrets[1]}/argo", content=b"nonsense"), 400)
    refused("secret", send(argo, "POST", f"/webhook/{secrets[1]}x/argo", content=b"{}"), 401)
    refused("secret", send(argo, "POST", f"/webhook/{secrets[1]}/../x", content=b"{}"), 401)
    told = [(argo.home / "server.log").read_text()]
    for method, path in ROUTES:
        if method == "GET" and "events" not in path:
            told.append(send(argo, method, filled(path), headers=bearer(argo)).text)
    told += [path.read_text() for path in (argo.home / "pods").rglob("*.logs") if path.is_file()]
    for secret in secrets:
        assert not [text for text in told if secret in text]
    REFUSED["secret"] += len(secrets)


def test_the_server_still_works_and_has_no_fault_in_its_log(argo: Argo) -> None:
    assert argo.end(argo.run(pod_spec("true")))["status"]["phase"] == "Succeeded"
    assert "Traceback" not in (argo.home / "server.log").read_text()
