"""The page that compares: each test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_test_that_is_named_is_there() -> None:
    text = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:\w+/)*test_\w+\.py)`", text)
    assert len(named) > 10
    for name in named:
        found = [path for path in (ROOT / "tests").rglob("test_*.py") if path.as_posix().endswith(f"/{name}")]
        assert len(found) == 1, name


def test_each_row_of_the_bench_is_there() -> None:
    rows = set(re.findall(r"^def (\w+)\(\) -> None:", (ROOT / "bench" / "run.py").read_text(), re.M))
    for page in ("comparison.md", "figures.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        named = re.findall(r"\(bench `(\w+)`\)|\| `(\w+)` \|$|nox -s bench -- ([\w ]+)$", text, re.M)
        words = {word for match in named for group in match for word in group.split()}
        assert words, page
        assert words <= rows, page
