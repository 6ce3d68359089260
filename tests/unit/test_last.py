"""What was last deployed from each folder."""

from __future__ import annotations

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
