"""Files that others write, or that were written half: named, with what to do."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from metaflow_hera.argo import last
from metaflow_hera.argo.last import LastDeployment
from metaflow_hera.choices.checks import annotation_pairs, label_pairs
from metaflow_hera.errors import ConfigurationError, OptionError
from metaflow_hera.metaflow_api.light import tokens
from metaflow_hera.metaflow_api.light.tokens import known_token
from metaflow_hera.metaflow_api.load.tokens import remember_token


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own for what Metaflow and this package keep."""
    monkeypatch.setenv("METAFLOW_HOME", str(tmp_path / "metaflow"))
    monkeypatch.setenv("METAFLOW_HERA_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(tokens, "PAUSE", 0.001)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", '"x"'])
def test_a_token_that_cannot_be_read_is_named(home: Path, text: str) -> None:
    remember_token("some-flow", "token-0")
    path = home / "metaflow" / "some-flow"
    path.write_text(text)
    for call in (
        lambda: known_token("some-flow"),
        lambda: remember_token("some-flow", "token-1"),
    ):
        with pytest.raises(
            ConfigurationError, match=rf"{path}, in which .* cannot be read .*: delete it, then"
        ):
            call()
    assert path.read_text() == text


def test_what_metaflow_keeps_beside_a_token_stays(home: Path) -> None:
    path = home / "metaflow" / "some-flow"
    path.parent.mkdir()
    path.write_text('{"another": 1}')
    remember_token("some-flow", "token-0")
    assert json.loads(path.read_text()) == {"another": 1, "production_token": "token-0"}
    assert list(path.parent.iterdir()) == [path]


def test_a_token_can_be_read_while_others_write_it() -> None:
    remember_token("some-flow", "token-0")
    found: list[str | None] = []

    def write() -> None:
        for number in range(100):
            remember_token("some-flow", f"token-{number}")

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        found.append(known_token("some-flow"))
    assert all(token and token.startswith("token-") for token in found)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"/": 3}', "[" * 100_000])
def test_a_note_of_deployments_that_cannot_be_read_is_named_and_replaced(home: Path, text: str) -> None:
    note = LastDeployment(name="some-flow", flow="SomeFlow", server="embedded")
    last.remember(note)
    (home / "state" / "deployments.json").write_text(text)
    with pytest.raises(
        ConfigurationError, match=r"deployments\.json.* cannot be read .*: delete it, or name"
    ):
        last.recall()
    last.remember(note)
    assert last.recall() == note


@pytest.mark.parametrize("check", [annotation_pairs, label_pairs])
def test_the_keys_of_metaflow_are_not_for_users(check: object) -> None:
    assert callable(check)
    with pytest.raises(
        OptionError, match="--it metaflow/parameters=x: keys that begin with metaflow/ are Metaflow's"
    ):
        check("--it", ["metaflow/parameters=x"])
