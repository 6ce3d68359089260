"""The folders for temporary files of pods have short paths, wherever the home is."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from metaflow_hera.embedded.pods.temporary import LONGEST, TemporaryFolders

SUN_PATH = 103
"""The longest path of a unix socket, on macOS; on Linux it is 107."""
OF_MULTIPROCESSING = "/pymp-abcdefgh/listener-abcdefgh"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home with a long path."""
    yield tmp_path / ("long" * 20)
    for link in Path("/tmp").glob("argo-*"):
        if link.is_symlink() and str(tmp_path) in os.readlink(link):
            link.unlink()


def test_there_is_room_for_a_socket(home: Path) -> None:
    folders = TemporaryFolders(home)
    folders.make(123456)
    path = Path(folders.path(123456) + OF_MULTIPROCESSING)
    assert len(os.fsencode(path)) < SUN_PATH
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    assert (home / "tmp" / "123456" / path.parent.name / path.name).is_socket()
    folders.remove(123456)
    assert TemporaryFolders(home).path(1) == folders.path(
        1
    )  # as for a pod that an earlier server has started


def test_a_home_with_a_short_path_needs_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert TemporaryFolders(Path("home")).path(7) == "home/tmp/7"
    assert len("home/tmp") < LONGEST


def test_a_link_that_is_not_ours_is_not_used(home: Path, tmp_path: Path) -> None:
    link = Path(TemporaryFolders(home).path(1)).parent
    link.unlink()
    link.symlink_to(tmp_path)
    folders = TemporaryFolders(home)
    assert Path(folders.path(1)).parent.name == f"{link.name}-1"
    folders.make(1)
    assert (home / "tmp" / "1").is_dir()


def test_whoever_tidies_up_takes_nothing_that_is_missed(home: Path) -> None:
    folders = TemporaryFolders(home)
    Path(folders.path(1)).parent.unlink()
    folders.make(1)
    assert Path(folders.path(1)).is_dir()


def test_what_a_killed_server_has_left_is_removed(home: Path) -> None:
    folders = TemporaryFolders(home)
    for number in (1, 2):
        folders.make(number)
    folders.keep({2})
    assert [each.name for each in (home / "tmp").iterdir()] == ["2"]
