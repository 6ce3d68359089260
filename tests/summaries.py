"""What the suite says at its end beside what passed: what was counted, wherever the tests ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import any_argo
import pytest
import random_flows
import recorded_flows

RECORDINGS = {
    "unit/controller/test_recordings.py::test_as_recorded": "by the controller",
    "embedded/test_recordings.py::test_a_recorded_workflow": "over HTTP with real processes",
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Recordings replayed, kills survived, calls refused, random flows compared."""
    lines = [*any_argo.summary(terminalreporter), *_recordings(terminalreporter), *_said(terminalreporter)]
    if lines:
        terminalreporter.section("counted")
        for line in lines:
            terminalreporter.line(line)
    random_flows.summary(terminalreporter)
    recorded_flows.collect()


def _recordings(reporter: pytest.TerminalReporter) -> Iterator[str]:
    for test, how in RECORDINGS.items():
        count = {
            outcome: sum(test in report.nodeid for report in reporter.getreports(outcome))
            for outcome in ("passed", "failed")
        }
        if any(count.values()):
            yield f"recordings equal {how}: {count['passed']} of {sum(count.values())}"


def _said(reporter: pytest.TerminalReporter) -> Iterator[str]:
    """What tests have noted: `says` is a line, `refused` the security cases of each kind."""
    refused: Counter[str] = Counter()
    for report in reporter.getreports(""):
        noted: dict[str, Any] = dict(getattr(report, "user_properties", ()))
        if "says" in noted:
            yield noted["says"]
        refused.update(noted.get("refused") or {})
    if refused:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(refused.items()))
        yield f"security cases refused: {sum(refused.values())} ({kinds})"
