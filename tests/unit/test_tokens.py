"""Production tokens: who may deploy a new version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from metaflow_hera.argo.deployments import Deployed
from metaflow_hera.argo.tokens import resolve_token
from metaflow_hera.errors import NotYoursError, OptionError
from metaflow_hera.metaflow_api.load.tokens import remember_token

PREVIOUS = Deployed("myflow", "MyFlow", "ann", "myflow-0-abcd", None, {})


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METAFLOW_HOME", str(tmp_path))


def test_the_first_version_begins_a_namespace() -> None:
    token = resolve_token(None, "myflow", "ann")
    assert token.is_new
    assert token.value.startswith("myflow-0-")


def test_the_owner_keeps_the_token() -> None:
    token = resolve_token(PREVIOUS, "myflow", "ann")
    assert (token.value, token.is_new) == (PREVIOUS.token, False)


def test_somebody_else_is_refused() -> None:
    with pytest.raises(NotYoursError, match=r"ann.*--authorize"):
        resolve_token(PREVIOUS, "myflow", "bob")
    with pytest.raises(NotYoursError, match="ann"):
        resolve_token(PREVIOUS, "myflow", "bob", authorize="myflow-0-wrong")
    with pytest.raises(NotYoursError, match="ann"):
        resolve_token(PREVIOUS, "myflow", "bob", generate=True)
    with pytest.raises(NotYoursError, match="ann"):
        resolve_token(PREVIOUS, "myflow", "bob", given="mine")


@pytest.mark.parametrize("form", ["myflow-0-abcd", "production:myflow-0-abcd"])
def test_the_token_lets_somebody_else_in(form: str) -> None:
    assert resolve_token(PREVIOUS, "myflow", "bob", authorize=form).value == PREVIOUS.token


def test_a_token_is_known_from_then_on() -> None:
    remember_token("myflow", PREVIOUS.token)
    assert resolve_token(PREVIOUS, "myflow", "bob").value == PREVIOUS.token


def test_a_new_namespace_on_demand() -> None:
    first = resolve_token(None, "myflow", "ann").value
    token = resolve_token(replace(PREVIOUS, token=first), "myflow", "ann", generate=True)
    assert token.is_new
    assert token.value.startswith("myflow-1-")


def test_no_token_follows_one_of_ones_own() -> None:
    with pytest.raises(OptionError, match="--new-token"):
        resolve_token(replace(PREVIOUS, token="mine"), "myflow", "ann", generate=True)


def test_a_token_of_ones_own() -> None:
    token = resolve_token(PREVIOUS, "myflow", "ann", given="production:mine")
    assert (token.value, token.is_new) == ("mine", True)


def test_the_token_of_a_version_that_was_deleted_is_not_a_new_one() -> None:
    first = resolve_token(None, "myflow", "ann").value
    remember_token("myflow", first)
    again = resolve_token(None, "myflow", "ann")
    assert (again.value, again.is_new) == (first, False)
    given = resolve_token(PREVIOUS, "myflow", "ann", given=PREVIOUS.token)
    assert not given.is_new
