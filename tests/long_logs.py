"""Logs of many megabytes, and the memory that a command takes to show them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from harness import Mfhera

from metaflow_hera.metaflow_api.pod.logs import decorated_line

LINES = 300
WIDTH = 100_000
MEGABYTES = 2 * LINES * WIDTH / 1e6
"""Both streams."""

CALL = """
import sys
sys.argv[0] = "mfhera"
from metaflow_hera.cli.main import main
try:
    main()
finally:
    with open("/proc/self/status") as status:
        print(next(line for line in status if line.startswith("VmHWM")), file=sys.stderr)
"""


def stream(number: int) -> bytes:
    """A stored stream; the lines of stream 0 and of stream 1 come in turns."""
    start = datetime(2026, 11, 26, 8)
    texts = (b"%d " % (2 * at + number) + b"x" * WIDTH for at in range(LINES))
    times = (start + timedelta(seconds=2 * at + number) for at in range(LINES))
    return b"".join(decorated_line(text + b"\n", time) for text, time in zip(texts, times, strict=True))


def shown(mfhera: Mfhera, *arguments: str) -> tuple[list[str], float]:
    """The lines that a command shows, each up to its first space, and the most memory it took, in MB."""
    done = mfhera.cold.python("-c", CALL, *arguments)
    assert done.returncode == 0, done.stderr
    texts = [json.loads(line)["text"] if "--json" in arguments else line for line in done.stdout.splitlines()]
    (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", done.stderr)
    return [text.partition(" ")[0] for text in texts if text.endswith("xxx")], int(peak) / 1e3


EVERYTHING = [str(number) for number in range(2 * LINES)]
SHOWN: dict[tuple[str, ...], list[str]] = {
    (): EVERYTHING,
    ("--json",): EVERYTHING,
    ("--stderr",): EVERYTHING[1::2],
    ("--follow",): EVERYTHING,
    ("--tail", "5"): EVERYTHING[-5:],
    ("--tail", "5", "--stdout", "--json"): EVERYTHING[-10::2],
}
"""What is shown of both streams, by the options."""


def check(mfhera: Mfhera, run: str, place: str, options: Iterable[tuple[str, ...]] = SHOWN) -> None:
    """The log of a task, which has both streams, is shown in the order of its times and in little memory."""
    _, little = shown(mfhera, "logs", run, "end")
    for each in options:
        lines, peak = shown(mfhera, "logs", run, place, *each)
        assert lines == SHOWN[each], each
        assert peak < little + MEGABYTES / 2, each
