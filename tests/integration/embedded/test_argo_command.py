"""Argo's own command line at the embedded Argo: what it sends, and that it can read what it is answered.

The calls of `argo` 4.1.2, and the streams as a real server sent them, are data: CI has no Argo.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from .conftest import DATA, Argo, pod_spec

COMMANDS = json.loads((DATA / "argo-command.json").read_text())["commands"]
STREAMS: dict[str, Any] = json.loads((DATA / "streams.json").read_text())["streams"]
PREFIX = len("data: ")


class Command:
    """Does the calls of a command as its HTTP client does them, and reads the answers as it reads them."""

    def __init__(self, argo: Argo) -> None:
        self._http = argo.http
        self._name = ""
        self.prints: list[str] = []
        self.phase = ""

    def call(self, call: Any) -> None:
        path = call["path"].replace("$NAME", self._name).removeprefix("/api/v1")
        headers = {"Accept": "text/event-stream"} if "reads" in call else {}
        with self._http.stream(call["method"], path, json=call.get("body"), headers=headers) as answer:
            assert answer.status_code == call.get("status", 200), answer.read()
            if answer.status_code != 200:
                if "message" in call:
                    assert json.loads(answer.read())["message"] == call["message"]
            elif "reads" in call:
                assert answer.headers["content-type"] == "text/event-stream"
                self._follow(call["reads"], answer)
            else:
                self._name = json.loads(answer.read()).get("metadata", {}).get("name", self._name)

    def _follow(self, kind: str, answer: httpx.Response) -> None:
        for result in self._events(answer):
            if kind == "log":
                self.prints.append(f"{result['podName']}: {result['content']}")
            elif (status := result["object"]["status"]).get("finishedAt"):
                self.phase = status["phase"]
                return

    @staticmethod
    def _events(answer: httpx.Response) -> Iterator[Any]:
        for line in answer.iter_lines():
            if len(line) + 1 > PREFIX:
                yield json.loads(line[PREFIX:])["result"]


def test_argos_own_command_line_works(argo: Argo) -> None:
    command = Command(argo)
    for each in COMMANDS:
        command.prints, command.phase = [], ""
        for call in each["calls"]:
            command.call(call)
        assert command.prints == each.get("prints", []), each["command"]
        assert command.phase == each.get("ends", ""), each["command"]


@pytest.mark.parametrize("title", STREAMS)
def test_streams_are_framed_as_a_real_server_frames_them(argo: Argo, title: str) -> None:
    if argo.http.get("/workflows/argo/streamed").status_code == 404:
        argo.run(pod_spec("echo one; echo two; echo err >&2"), "streamed")
        argo.end("streamed")
    recorded = STREAMS[title]
    headers = {"Accept": recorded["accept"] or "*/*"}
    with argo.http.stream("GET", recorded["path"], headers=headers) as answer:
        assert answer.status_code == recorded["status"]
        assert answer.headers["content-type"] == recorded["headers"]["Content-Type"]
        lines = answer.iter_lines()
        if title.startswith("watch, "):
            check_watch(lines, recorded["lines"])
            return
        found, expected = list(lines), without_the_executors(recorded["lines"])
    if title == "log, text/event-stream":  # the recording breaks off before the last line
        found = found[: len(expected)]
    assert found == expected


def without_the_executors(lines: list[str]) -> list[str]:
    """What Argo's executor writes is its own; it is dropped with the empty lines behind it."""
    kept: list[str] = []
    dropped = False
    for line in lines:
        dropped = "argo=true" in line if line else dropped
        if not dropped:
            kept.append(line)
    return kept


def check_watch(lines: Iterator[str], recorded: list[str]) -> None:
    """The first event is framed as the recorded one; how often Argo's controller writes is its own affair."""
    first = next(lines)
    start, end = recorded[0].index("{"), recorded[0].index('"object"')
    assert first[:end] == recorded[0][:end]
    assert json.loads(first[start:])["result"]["object"]["metadata"]["name"] == "streamed"
    assert first.endswith("} " if start else "}")
