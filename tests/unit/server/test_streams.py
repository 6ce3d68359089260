"""What a stream answers that cannot begin, and what its parameters may be."""

from __future__ import annotations

import json
import tracemalloc
from io import BytesIO

import pytest
from test_twin import TEMPLATE
from twin import Twin

from metaflow_hera.argo.starting import Start, submitted
from metaflow_hera.embedded.api.streams import CHUNK, _tail_start

EVENTS = "text/event-stream"


@pytest.fixture
def run(twin: Twin) -> str:
    twin.client.create_template(TEMPLATE)
    return str(submitted(twin.client, Start("two"))["metadata"]["name"])


@pytest.mark.parametrize("option", ["tailLines", "limitBytes"])
@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("1" + 24 * "0", "value out of range"),
        ("1" + 5000 * "0", "value out of range"),
        ("two", "invalid syntax"),
        ("-1", "must be greater than or equal to 0"),
    ],
)
def test_a_number_of_lines_that_is_none_is_refused(
    twin: Twin, run: str, option: str, number: str, words: str
) -> None:
    answer = twin.raw("GET", f"workflows/default/{run}/log?logOptions.{option}={number}")
    assert answer.status_code == 400
    assert answer.json()["code"] == 3
    assert answer.json()["message"].endswith(words)


def test_follow_is_a_bool_of_go(twin: Twin, run: str) -> None:
    twin.finish(run)
    for word in ("1", "t", "TRUE", "false", "0"):
        assert twin.raw("GET", f"workflows/default/{run}/log?logOptions.follow={word}").ok
    answer = twin.raw("GET", f"workflows/default/{run}/log?logOptions.follow=yes")
    assert answer.json()["message"] == 'logOptions.follow: strconv.ParseBool: parsing "yes": invalid syntax'


def test_the_largest_number_of_lines_is_all_of_them(twin: Twin, run: str) -> None:
    assert twin.raw("GET", f"workflows/default/{run}/log?logOptions.tailLines={10**18 - 1}").ok


@pytest.mark.parametrize("text", ["", "\n", "one", "one\n", "one\n\ntwo\nthree", "one\ntwo\n\n"])
def test_the_last_lines_begin_where_they_do(text: str) -> None:
    lines = text.removesuffix("\n").split("\n") if text else []
    for count in range(len(lines) + 2):
        start = _tail_start(BytesIO(text.encode()), count)
        assert text[start:].removesuffix("\n") == "\n".join(lines[len(lines) - min(count, len(lines)) :])


def test_the_last_lines_of_a_long_log_take_no_memory() -> None:
    file = BytesIO(b"\n" * (4 << 20) + b"x" * (3 * CHUNK) + b"\nlast\n")
    tracemalloc.start()
    assert _tail_start(file, 2) == 4 << 20
    assert _tail_start(file, 10**18) == 0
    assert tracemalloc.get_traced_memory()[1] < 10 * CHUNK
    tracemalloc.stop()


def test_a_wrong_token_is_told_as_an_error_of_the_stream(twin: Twin) -> None:
    for path in ("workflows/default/x/log", "workflows/default/x/pod/log", "workflow-events/default"):
        answer = twin.raw("GET", path, token="wrong", Accept=EVENTS)
        assert (answer.status_code, answer.headers["content-type"]) == (401, EVENTS)
        error = json.loads(answer.text.removeprefix("data: "))["error"]
        assert (error["grpc_code"], error["http_status"]) == (16, "Unauthorized")
    assert twin.raw("GET", "workflows/default", token="wrong", Accept=EVENTS).json()["code"] == 16


def test_a_log_holds_go_s_escapes(twin: Twin) -> None:
    answer = twin.raw("GET", "workflows/default/a<b&c/log")
    assert "a\\u003cb\\u0026c" in answer.text


def test_the_latest_of_no_workflows_is_not_found(twin: Twin) -> None:
    answer = twin.raw("GET", "workflows/default/@latest")
    assert (answer.status_code, answer.json()["message"]) == (404, "no workflows found")
    watch = twin.raw("GET", "workflow-events/default?listOptions.fieldSelector=metadata.name%3D@latest")
    assert watch.json()["error"]["message"] == "no workflows found"


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("archived-workflows/uid", "archive"),
        ("archived-workflows-label-keys", "archive"),
        ("cluster-workflow-templates", "ClusterWorkflowTemplate"),
        ("stream/sensors/default", "stream of sensors"),
    ],
)
def test_what_argo_has_and_the_embedded_argo_has_not_is_named(twin: Twin, path: str, what: str) -> None:
    answer = twin.raw("GET", path)
    assert answer.status_code == 501
    assert what in answer.json()["message"]
    assert answer.json()["message"].endswith("not supported by the embedded Argo")
