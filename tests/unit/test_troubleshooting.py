"""Each message of an error tells what to do, or docs/troubleshooting.md has it.

A message tells it by an order (`give another name with --name`), by a command of mfhera, or by a question
about what is configured. What it quotes of others, such as Argo's words, is not ours to word.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from metaflow_hera import errors

ROOT = Path(__file__).parents[2]
SOURCES = [*(ROOT / "metaflow_hera").rglob("*.py"), *(ROOT / "metaflow_extensions").rglob("*.py")]
PAGE = " ".join((ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8").split())
CLASSES = {
    *(name for name, each in vars(errors).items() if isinstance(each, type)),
    *("Unusable", "ServerError"),  # of the embedded Argo; what it refuses has Argo's words
    "MetaflowException",
} - {"MetaflowHeraError"}
HOLE = "\0"
"""Stands in a message for a value."""

VERBS = (
    "add|ask|begin|change|check|choose|continue|correct|define|delete|deploy|end|export|fix|free|give|install|"
    "join|leave|let|log|make|map|move|name|pip install|put|raise|remove|rename|restart|restore|retry|run|"
    "save|say|see|set|split|start|stop|swap|try|unset|use|wait|write"
)
ORDER = re.compile(rf"(?:^|{HOLE}|[:;,.?] |, so | or |\band |\bthen |\bfirst )(?:{VERBS})\b", re.I)
COMMAND = re.compile(r"\bmfhera [a-z]+|\bkubectl [a-z]+")
QUESTION = re.compile(r"\?$")
ALLOWED = re.compile(
    r"\b(?:needs?|takes|must be|must have|must hold|possible|not one of|allows (?:only|no)|it has|can use|"
    r"not go with|nothing to)\b|(?:those that do|there are):"
)
"""Says what is allowed, from which follows what to do."""


class Message(NamedTuple):
    """What an error says, with HOLE for each value."""

    place: str
    text: str


def text_of(node: ast.expr) -> str:
    """The text of an expression, as far as it is written there."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else HOLE
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(each) for each in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left) + text_of(node.right)
    return HOLE


def messages() -> Iterator[Message]:
    """Each message of an error, with text of its own."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = node.func
            name = getattr(called, "id", None) or getattr(called, "attr", "")
            text = text_of(node.args[0])
            if name in CLASSES and re.search("[a-z]{3} [a-z]", text.replace(HOLE, "")):
                yield Message(f"{path.relative_to(ROOT)}:{node.lineno}", text)


def tells_what_to_do(text: str) -> bool:
    """Whether a message itself says what to do about it."""
    return any(rule.search(text) for rule in (ORDER, COMMAND, QUESTION, ALLOWED))


def is_on_the_page(text: str) -> bool:
    """Whether the page has a message: the beginning of a part of it, of two words or more."""
    parts = (part.strip(" :;,.()").split()[:6] for part in text.split(HOLE))
    return any(len(words) >= 2 and " ".join(words) in PAGE for words in parts)


def test_each_message_tells_what_to_do_or_is_explained() -> None:
    found = list(messages())
    assert len(found) > 250
    left = [each for each in found if not tells_what_to_do(each.text) and not is_on_the_page(each.text)]
    assert left == [], "\n".join(f"{each.place}: {each.text.replace(HOLE, '{}')}" for each in left)


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        (f"There is no file {HOLE}: give the path of a flow's script.", True),
        (f"{HOLE} cannot be written: {HOLE}.", False),
        (f"The webhook cannot be reached ({HOLE}): is {HOLE} right?", True),
        (f"{HOLE} has no task {HOLE}; step {HOLE} has {HOLE}.", False),
    ],
)
def test_the_rule(text: str, tells: bool) -> None:
    assert tells_what_to_do(text) is tells
