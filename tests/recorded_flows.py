"""What Metaflow's own `run` made of flows, recorded once.

The record is a compressed file with a line for each flow: its name, Metaflow's version, a hash of its script,
of the files beside it and of the options of its run, and the tasks as `reading.py` tells them. It counts for
the same files, the same options and the same version of Metaflow only. Python's version has no part in it: a
task holds values that all versions write alike.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import shutil
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from harness import DEPENDS_ON_HOW_IT_RUNS, Mfhera, Tasks, assert_same, run_by_metaflow

FILE = Path(__file__).parent / "data" / "differential" / "runs.jsonl.gz"
READ = {".py", ".json", ".txt", ".csv"}
"""What a flow may import or read."""
NEW = "new"
"""The folder beside it in which the processes of a session put what they record."""
LIVE_EACH = 50
"""Of about so many recorded flows one is run all the same, so that a record that is wrong shows."""

Line = dict[str, Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options that say whether Metaflow runs flows that it has run already."""
    parser.addoption("--live", action="store_true", help="run all flows by Metaflow, whatever is recorded")
    parser.addoption("--record", action="store_true", help="the same, and record what it makes of them")


class Record:
    """The record as one session of tests uses it."""

    def __init__(self, config: pytest.Config) -> None:
        self._renews = bool(config.getoption("record"))
        self._all_live = self._renews or bool(config.getoption("live"))
        self._now: dict[tuple[str, str], Line] = {}
        """What was run in this session: several tests compare with the same."""

    def is_live(self, flow: str, text: str) -> bool:
        """Whether a flow is run by Metaflow now; `text` is all that decides what it does."""
        return self._all_live or crc32(flow.encode()) % LIVE_EACH == 0 or recorded(flow, text) is None

    def by_metaflow(
        self, flow: str, mfhera: Mfhera, script: str, *options: str, differs: bool = False
    ) -> Tasks:
        """What Metaflow makes of a script in the folder of `mfhera`, by now or as recorded for the flow.

        `differs` says that a flow makes something else in each run: one that tells of times, say.
        """
        main = mfhera.folder / script
        files = [
            main,
            *sorted(each for each in mfhera.folder.glob("*") if each.suffix in READ and each != main),
        ]
        text = "\n".join([*(each.read_text(encoding="utf-8") for each in files), *options])
        known = recorded(flow, text)
        if known is not None and not self.is_live(flow, text):
            return known
        if (flow, text) not in self._now or differs:
            self._now[flow, text] = line(flow, text, run_by_metaflow(mfhera, script, *options))
        now = self._now[flow, text]
        tasks: Tasks = now["tasks"]
        if self._renews:
            folder = FILE.parent / NEW
            folder.mkdir(parents=True, exist_ok=True)
            (folder / now["script"]).write_text(json.dumps(now))
        elif known is not None and not differs:
            assert_same(known, tasks, "recorded", "by Metaflow", flow)
        return tasks


def line(flow: str, text: str, tasks: Tasks) -> Line:
    """What is recorded of a flow that has just been run."""
    return {
        "flow": flow,
        "metaflow": version("metaflow"),
        "script": _hash(text),
        "tasks": {
            key: {name: value for name, value in task.items() if name not in DEPENDS_ON_HOW_IT_RUNS}
            for key, task in tasks.items()
        },
    }


def recorded(flow: str, text: str) -> Tasks | None:
    """The tasks of that flow, or None where they were not recorded with this text and this Metaflow."""
    wanted = (flow, version("metaflow"), _hash(text))
    for each in _lines():
        if (each["flow"], each["metaflow"], each["script"]) == wanted:
            tasks: Tasks = each["tasks"]
            return tasks
    return None


def renew(lines: Iterable[Line]) -> None:
    """Put these lines in the place of those that the record has for the same flows."""
    by_flow = {each["flow"]: each for each in (*_lines(), *lines)}
    text = "".join(json.dumps(by_flow[flow], sort_keys=True) + "\n" for flow in sorted(by_flow))
    FILE.parent.mkdir(parents=True, exist_ok=True)
    # Without the time and the name of the file, so that the same runs make the same bytes.
    FILE.write_bytes(gzip.compress(text.encode(), mtime=0))


def collect() -> None:
    """Add what a session has recorded."""
    folder = FILE.parent / NEW
    if folder.is_dir():
        renew(json.loads(path.read_text()) for path in sorted(folder.iterdir()))
        shutil.rmtree(folder)


def _lines() -> list[Line]:
    return _parsed(FILE.read_bytes()) if FILE.exists() else []


@functools.cache
def _parsed(record: bytes) -> list[Line]:
    return [json.loads(text) for text in gzip.decompress(record).splitlines()]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
