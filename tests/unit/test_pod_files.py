"""What a pod leaves in files: a long log, a termination message."""

from __future__ import annotations

from pathlib import Path

import pytest

from metaflow_hera.embedded.pods import files
from metaflow_hera.embedded.pods.containers import Process, make_files


@pytest.mark.parametrize(
    ("log", "kept"),
    [
        (b"short\n", b"short\n"),
        (b"a" * 90 + b"\nthe last\nlines\n", b"the last\nlines\n"),
        (b"one line without an end" * 10, b"line without an end"),
        (b"one line with an end" * 10 + b"\n", b"ne line with an end\n"),
    ],
)
def test_of_a_long_log_the_end_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: bytes, kept: bytes
) -> None:
    monkeypatch.setattr(files, "LOG_LIMIT", 100)
    monkeypatch.setattr(files, "LOG_KEPT", 20)
    path = tmp_path / "pod.logs"
    path.write_bytes(log)
    files.shorten(str(path))
    note, _, rest = path.read_bytes().partition(b"was too long]\n")
    assert (rest or note)[-len(kept) :] == kept


@pytest.mark.parametrize(
    ("mode", "text", "read"),
    [("wb", b"why", "why"), ("ab", b"why", "why"), ("ab", b"", ""), ("wb", b"x" * 5000, "x" * 4096)],
)
def test_a_termination_message_has_its_place_before_the_disk_is_full(
    tmp_path: Path, mode: str, text: bytes, read: str
) -> None:
    folder = str(tmp_path / "uid" / "pod")
    what = Process([], {}, folder, {}, f"{folder}.message", [], None)
    make_files(what, folder)
    with open(what.message, mode) as file:
        file.write(text)
    assert files.read_message(what.message) == read
