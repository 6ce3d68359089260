"""A server in the tests' own process, and the person who uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import USER
from twin import Twin

from metaflow_hera.argo import client, session, settling, starting
from metaflow_hera.operations import present


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who tries again, or looks again, does so at once."""
    for module in (session, settling, starting):
        monkeypatch.setattr(module, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(settling, "GOING", (0.0, 0.0))
    monkeypatch.setattr(settling, "LEARNS", 0.0)
    monkeypatch.setattr(present, "PAUSE", 0.0)
    monkeypatch.setattr(client, "CONFLICT_PAUSE", 0.0)


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[Twin]:
    """An embedded Argo with nothing in it. What a test sent to it must be as Argo describes its API."""
    made = Twin(tmp_path / "argo")
    yield made
    made.close()
    for call in made.calls:
        call.check()


@pytest.fixture(autouse=True)
def become(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Go on as another person; each has a home below the test's folder, with the tokens that they know."""

    def change(name: str) -> None:
        monkeypatch.setattr("metaflow.metaflow_config.USER", name)  # which Metaflow reads once, at import
        monkeypatch.setenv("METAFLOW_HOME", str(tmp_path / name))

    change(USER)
    monkeypatch.setenv("METAFLOW_HERA_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return change
