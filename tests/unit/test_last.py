"""What was last deployed from each folder."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from metaflow_hera.argo import last


def test_folders_of_pods_that_are_gone_make_way_for_those_of_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METAFLOW_HERA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(last, "LIMIT", 2)
    for name in ("project", "pod-1", "pod-2", "pod-3"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.chdir(folder)
        last.remember(last.LastDeployment(server=last.EMBEDDED, name=name, flow="AFlow"))
        assert (found := last.recall()) is not None
        assert found.name == name
        if name != "project":
            monkeypatch.chdir(tmp_path)
            folder.rmdir()
    monkeypatch.chdir(tmp_path / "project")
    assert (found := last.recall()) is not None
    assert found.name == "project"


def test_a_note_is_its_users_own_and_what_cannot_be_noted_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METAFLOW_HERA_HOME", str(tmp_path / "home"))
    note = last.LastDeployment(server=last.EMBEDDED, name="aflow", flow="AFlow")
    last.remember(note)
    file = tmp_path / "home" / last.DEPLOYMENTS
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    there = sorted((tmp_path / "home").iterdir())
    file.unlink()
    file.mkdir()  # it cannot be replaced
    assert last.remember(note) == [
        "What was deployed from this folder could not be noted (Is a directory): name the flow from now on."
    ]
    assert sorted((tmp_path / "home").iterdir()) == there
