"""How the embedded Argo asks a pod's program for results: it answers, or there are words that say why not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from metaflow_hera.embedded.pods.results import RESULTS, Unreadable, read_results

ANSWERS = """
folder=$(printf %s "$ASKED" | sed 's/.*"folder": "\\([^"]*\\)".*/\\1/')
printf '{"asked": %s, "kept": "%s", "artifacts": [], "cards": []}' "$ASKED" "$KEPT" > "$folder/results.json"
"""


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Any]:
    """Ask a shell's program."""

    def answer(program: str, is_closing: Callable[[], bool] = lambda: False, **annotations: str) -> Any:
        container = {"command": ["sh", "-c", program], "env": [{"name": "KEPT", "value": "as for the task"}]}
        pod = {
            "name": "a",
            "namespace": "default",
            "uid": "u",
            "annotations": {RESULTS: "ASKED", **annotations},
            "template": {"container": container},
        }
        return read_results(pod, "AFlow/argo-a/start/start", tmp_path, str(tmp_path / "cache"), is_closing)

    return answer


def test_it_is_asked_as_its_pod_was_started(ask: Callable[..., Any], tmp_path: Path) -> None:
    found = ask(ANSWERS)
    assert found["kept"] == "as for the task"
    assert found["asked"]["pathspec"] == "AFlow/argo-a/start/start"
    assert found["asked"]["folder"] == str(tmp_path / "answers")


def test_one_that_cannot_tell_is_not_started(ask: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="Deploy it again"):
        ask("touch ../started", **{RESULTS: ""})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("echo one; echo the last line; exit 3", r"\(exit code 3\): the last line"),
        ("exit 0", "it said nothing"),
        (ANSWERS.replace('{"asked"', '["asked"'), "exit code 0"),
    ],
)
def test_one_that_fails_is_quoted(ask: Callable[..., Any], program: str, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        ask(program)


def test_an_answer_that_is_nested_too_deep_is_none(ask: Callable[..., Any]) -> None:
    with pytest.raises(Unreadable, match="exit code 0"):
        ask(f"{ANSWERS}head -c 100000 /dev/zero | tr '\\0' '[' > \"$folder/results.json\"")


def test_an_answer_that_is_too_long_is_none(ask: Callable[..., Any]) -> None:
    with pytest.raises(Unreadable):
        ask(f"{ANSWERS}head -c 5000000 /dev/zero | tr '\\0' ' ' >> \"$folder/results.json\"")


def test_nobody_waits_for_it_when_the_server_ends(ask: Callable[..., Any], tmp_path: Path) -> None:
    started = tmp_path / "number"
    with pytest.raises(Unreadable, match="The server ends"):
        ask(f"echo $$$$ > {started}.new; mv {started}.new {started}; sleep 1000", started.exists)
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
