"""A server in the tests' own process, and the person who uses it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import USER
from twin import Twin


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[Twin]:
    """An embedded Argo with nothing in it."""
    made = Twin(tmp_path / "argo")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one who deploys, with a home below the test's folder."""
    monkeypatch.setenv("METAFLOW_USER", USER)
    monkeypatch.setenv("METAFLOW_HOME", str(tmp_path / "metaflow"))
    monkeypatch.setenv("METAFLOW_HERA_HOME", str(tmp_path / "state"))
