"""Metaflow's rules that are followed without importing it, held against Metaflow itself."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from metaflow import metaflow_config, metaflow_config_funcs, util
from metaflow.plugins.aws.step_functions import production_token

from metaflow_hera.errors import ConfigurationError
from metaflow_hera.metaflow_api.light import configuration, tokens, users

Files = dict[str, object]
NAME = "KUBERNETES_NAMESPACE"
VARIABLE = f"METAFLOW_{NAME}"
USERS = ("METAFLOW_USER", "SUDO_USER", "USERNAME", "USER")


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder below a project, and a home, where Metaflow has read nothing yet."""
    for name in (VARIABLE, "METAFLOW_PROFILE", "METAFLOW_TOKEN_HOME", *USERS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("METAFLOW_HOME", str(tmp_path / "metaflow"))
    (tmp_path / "project" / ".metaflow").mkdir(parents=True)
    (tmp_path / "project" / "below").mkdir()
    monkeypatch.chdir(tmp_path / "project" / "below")
    monkeypatch.setattr(metaflow_config_funcs, "METAFLOW_CONFIG", None)
    monkeypatch.setattr(metaflow_config_funcs, "METAFLOW_LOCAL_CONFIG", None)
    monkeypatch.setattr(metaflow_config_funcs, "_all_configs", {})


def files(root: Path, given: Files) -> None:
    for name, content in given.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))


def without_metaflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "metaflow.metaflow_config")


OF_USER = {"metaflow/config.json": {VARIABLE: "of the user"}}
OF_PROFILE = {"metaflow/config_own.json": {VARIABLE: "of the profile"}}
OF_PROJECT = {"project/.metaflow/config.json": {VARIABLE: "of the project"}}


@pytest.mark.parametrize(
    ("given", "env"),
    [
        ({}, {}),
        (OF_USER, {}),
        (OF_USER, {VARIABLE: "of the environment"}),
        (OF_USER, {VARIABLE: ""}),
        ({**OF_USER, **OF_PROJECT}, {}),
        ({**OF_USER, "project/.metaflow/config.json": {VARIABLE: None}}, {}),
        ({**OF_USER, "project/below/.metaflow/x": ""}, {}),
        ({**OF_USER, **OF_PROJECT, "project/below/.metaflow/x": ""}, {}),
        ({**OF_USER, **OF_PROFILE}, {"METAFLOW_PROFILE": "own"}),
        ({**OF_USER, **OF_PROFILE}, {"METAFLOW_PROFILE": ""}),
        ({**OF_USER, "home/.metaflowconfig/config.json": {VARIABLE: "below HOME"}}, {"METAFLOW_HOME": None}),
        ({"home/own/config.json": {VARIABLE: "below HOME"}}, {"METAFLOW_HOME": "~/own"}),
        ({"project/below/own/config.json": {VARIABLE: "here"}}, {"METAFLOW_HOME": "own"}),
        ({"metaflow": "a file"}, {}),
    ],
)
def test_a_setting(
    given: Files, env: dict[str, str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files(tmp_path, given)
    for name, value in env.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    expected = metaflow_config_funcs.from_conf(NAME)
    without_metaflow(monkeypatch)
    assert configuration.setting(NAME) == expected


@pytest.mark.parametrize(
    ("given", "profile", "words"),
    [
        ({}, "nosuch", "METAFLOW_PROFILE is 'nosuch', and there is no {root}/metaflow/config_nosuch.json"),
        (
            {"metaflow/config.json": "{"},
            "",
            "{root}/metaflow/config.json, Metaflow's configuration, cannot",
        ),
        (
            {"metaflow/config.json": "[]"},
            "",
            "{root}/metaflow/config.json, Metaflow's configuration, cannot",
        ),
        ({"project/.metaflow/config.json": "x"}, "", "{root}/project/.metaflow/config.json, Metaflow's"),
    ],
)
def test_a_configuration_that_cannot_be_read(
    given: Files, profile: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files(tmp_path, given)
    monkeypatch.setenv("METAFLOW_PROFILE", profile)
    with pytest.raises(Exception):  # noqa: B017, PT011
        metaflow_config_funcs.from_conf(NAME)
    without_metaflow(monkeypatch)
    with pytest.raises(ConfigurationError) as told:
        configuration.setting(NAME)
    assert str(told.value).startswith(words.format(root=tmp_path))


def test_where_metaflow_is_imported_its_own_values_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metaflow_config, NAME, "as it was read")
    monkeypatch.setenv(VARIABLE, "as it is now")
    assert configuration.kubernetes_namespace() == "as it was read"


@pytest.mark.parametrize("others", [True, False])
def test_an_extension_of_others_may_configure_metaflow(
    others: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files(tmp_path, {f"path/metaflow_extensions/{'other' if others else 'hera'}/config/mfextinit_x.py": ""})
    monkeypatch.syspath_prepend(str(tmp_path / "path"))
    monkeypatch.delitem(sys.modules, "metaflow_extensions", raising=False)
    assert configuration.has_other_extensions() == others


@pytest.mark.parametrize(
    "env",
    [
        {"METAFLOW_USER": "configured", "USER": "of the system"},
        {"SUDO_USER": "sudoer", "USERNAME": "named", "USER": "of the system"},
        {"METAFLOW_USER": "root", "USERNAME": "named", "USER": "of the system"},
        {"SUDO_USER": "root", "USERNAME": "", "USER": "of the system"},
        {"USER": "root"},
        {},
    ],
)
def test_the_user(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(metaflow_config, "USER", env.get("METAFLOW_USER"))
    expected = util.get_username()
    without_metaflow(monkeypatch)
    assert users._known() == expected
    assert users.user() == expected or expected is None


@pytest.mark.parametrize("home", ["METAFLOW_TOKEN_HOME", "METAFLOW_HOME", None])
def test_a_token(home: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("METAFLOW_HOME")
    if home is not None:
        monkeypatch.setenv(home, "~/tokens")
    assert tokens.known_token("flow") is production_token.load_token("flow") is None
    production_token.store_token("flow", "flow-0-abcd")
    assert tokens.known_token("flow") == "flow-0-abcd"
    assert os.fspath(tokens.token_file("flow")) == production_token._path("flow")
