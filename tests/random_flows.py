"""Which random flows are run, and what was seen of them."""

from __future__ import annotations

from collections import Counter

import pytest

SEEDS = "0-99"
"""What runs where nobody asks for other seeds: those that are recorded."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that names the flows to run."""
    parser.addoption("--seeds", default=SEEDS, metavar="FROM-TO", help="numbers of the random flows to run")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each flow."""
    if "seed" in metafunc.fixturenames:
        first, _, last = metafunc.config.getoption("seeds").partition("-")
        metafunc.parametrize("seed", range(int(first), int(last or first) + 1))


def summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How much was compared, what was in it, and what differed."""
    flows = [
        {"outcome": outcome, **dict(report.user_properties)}
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call" and "seed" in dict(report.user_properties)
    ]
    if not flows:
        return
    compared = [flow for flow in flows if "tasks" in flow]
    live = sum(flow["live"] for flow in compared)
    differing = sorted(flow["seed"] for flow in compared if flow["outcome"] == "failed")
    failed = sorted(flow["seed"] for flow in flows if "tasks" not in flow)
    say = terminalreporter.line
    terminalreporter.section("random flows")
    say(f"compared: {len(compared)} flows with {sum(flow['tasks'] for flow in compared)} tasks")
    say(f"by Metaflow: {live} run now, {len(compared) - live} as recorded")
    say(f"differed: {len(differing)}{_listed(differing)}")
    say(f"did not run to their end one way or the other: {len(failed)}{_listed(failed)}")
    for what in ("by Metaflow", "create", "trigger", "run", "read"):
        seconds = [flow[what] for flow in compared if what in flow]
        say(f"seconds for a flow, {what}: {sum(seconds) / max(len(seconds), 1):.1f}")
    for shape, count in sorted(Counter(shape for flow in compared for shape in flow["shapes"]).items()):
        say(f"{count:6}  {shape}")


def _listed(seeds: list[int]) -> str:
    return f", seeds {', '.join(map(str, seeds))}" if seeds else ""
