"""Logs in the datastore, as Metaflow writes them, read without taking all of them into memory."""

from __future__ import annotations

import tracemalloc
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from metaflow_hera.metaflow_api.pod.logs import decorated_line
from metaflow_hera.metaflow_api.read.log_files import BLOCK, merged_lines

START = datetime(2026, 11, 26, 8)


def line(second: float, text: bytes) -> bytes:
    return decorated_line(text + b"\n", START + timedelta(seconds=second))


@pytest.fixture
def files(tmp_path: Path) -> dict[Path, str]:
    """Both streams of a task, of which each has ten lines, in turns."""
    found = {tmp_path / stream: stream for stream in ("stdout", "stderr")}
    for number, path in enumerate(found):
        path.write_bytes(b"".join(line(2 * at + number, b"%d" % (2 * at + number)) for at in range(10)))
    return found


def test_the_streams_are_merged_by_their_times(files: dict[Path, str]) -> None:
    found = list(merged_lines(files))
    assert [each.text for each in found] == [str(number) for number in range(20)]
    assert [each.stream for each in found[:2]] == ["stdout", "stderr"]
    assert found[3].time == (START + timedelta(seconds=3)).replace(tzinfo=timezone.utc)


@pytest.mark.parametrize("last", [1, 2, 3, 9, 10, 11, 100])
def test_the_last_lines_are_those_at_the_end(files: dict[Path, str], last: int) -> None:
    everything = [each.text for each in merged_lines(files)]
    assert [each.text for each in merged_lines(files, last)] == everything[-2 * last :]


@pytest.mark.parametrize("length", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
@pytest.mark.parametrize("ended", [True, False])
def test_lines_of_any_length(tmp_path: Path, length: int, ended: bool) -> None:
    path = tmp_path / "stdout"
    texts = [bytes([97 + at]) * length for at in range(5)]
    content = b"".join(line(at, text) for at, text in enumerate(texts))
    path.write_bytes(content if ended else content[:-1])
    for last in range(1, 7):
        found = [each.text.encode() for each in merged_lines({path: "stdout"}, last)]
        assert found == texts[-last:]


def test_what_has_no_time_stays_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "stdout"
    path.write_bytes(line(1, b"one") + b"what another program wrote \xff\n" + line(2, b"two"))
    found = [each.text for each in merged_lines({path: "stdout"})]
    assert found == ["one", "what another program wrote \N{REPLACEMENT CHARACTER}", "two"]


def test_a_log_that_is_larger_than_memory(tmp_path: Path) -> None:
    path = tmp_path / "stdout"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # which takes no room on the disk
        file.seek(1 << 40)
        file.write(b"\n" + line(1, b"one") + line(2, b"two"))
    tracemalloc.start()
    assert [each.text for each in merged_lines({path: "stdout"}, 2)] == ["one", "two"]
    assert tracemalloc.get_traced_memory()[1] < 100 * BLOCK
    tracemalloc.stop()
