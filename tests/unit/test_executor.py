"""A real Argo's logs hold lines of its executor; people see their own."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.executor import without_executor
from metaflow_hera.argo.target import Target

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "streams.json").read_text())["streams"]
OLD = 'time="2026-11-26T11:37:06.066Z" level=info msg="capturing logs" argo=true'
NEW = 'time=2026-11-26T11:37:08.069Z level=INFO msg="sub-process exited" error=<nil> argo=true'


class Recorded(BaseAdapter):
    """Answers every call with the log that a real Argo sent."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        answer = requests.Response()
        answer.status_code = 200
        answer.raw = io.BytesIO("\n".join(RECORDED["log, application/json"]["lines"]).encode())
        answer.request, answer.url = request, request.url or ""
        return answer

    def close(self) -> None:
        """There is nothing to close."""


def test_the_lines_of_argos_executor_are_not_shown() -> None:
    client = ArgoClient(Target("http://argo:2746/", "argo"), Recorded())
    assert list(client.logs("streamed")) == [("streamed", line) for line in ("one", "two", "err")]


@pytest.mark.parametrize("line", [OLD, NEW])
def test_a_line_that_has_no_end_stays_without_what_came_behind_it(line: str) -> None:
    assert without_executor(line) is None
    assert without_executor(f"no end{line}") == "no end"


@pytest.mark.parametrize(
    "line", ["", "argo=true", 'time=now level=INFO msg="mine" argo=true', NEW.replace("true", "false")]
)
def test_other_lines_stay(line: str) -> None:
    assert without_executor(line) == line


def test_a_long_line_of_the_users_is_looked_at_once() -> None:
    line = '{"time":"now","level":"info","msg":"mine"} ' * 5_000
    assert without_executor(line) == line
