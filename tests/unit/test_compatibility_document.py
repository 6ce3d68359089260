"""docs/compatibility.md names tests and flows that are there."""

from __future__ import annotations

import re

import pytest
from harness import TESTS

TEXT = (TESTS.parent / "docs" / "compatibility.md").read_text(encoding="utf-8")
FILES = sorted(set(re.findall(r"(?:\w+/)?\w+_\w+\.(?:py|yaml)(?:::\w+)?", TEXT)))


def test_it_names_the_versions_of_the_extensions_that_nox_installs() -> None:
    nox = (TESTS.parent / "noxfile.py").read_text(encoding="utf-8")
    installed = set(re.findall(r"\"(metaflow-[a-z-]+)==([0-9.]+)\"", nox))
    assert installed
    assert installed == set(re.findall(r"^\| (metaflow-[a-z-]+) ([0-9.]+) \|", TEXT, re.MULTILINE))


@pytest.mark.parametrize("named", FILES)
def test_what_it_names_is_there(named: str) -> None:
    file, _, function = named.partition("::")
    found = list(TESTS.rglob(file))
    assert found
    if function:
        assert any(f"def {function}(" in path.read_text(encoding="utf-8") for path in found)
