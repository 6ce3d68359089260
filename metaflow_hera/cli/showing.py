"""The tree of a run: with colours on a terminal, plain text elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime

import click
from rich.console import Console
from rich.live import Live

from metaflow_hera.argo.run import Run
from metaflow_hera.display.views import PLAIN_WIDTH, retry_words, run_tree, state_of


def write_run(run: Run) -> None:
    """Write the tree of a run as it is now."""
    console = Console()
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    console.print(run_tree(run))


def watch(looks: Iterable[Run]) -> Run:
    """Show a run as it changes: a live tree on a terminal, a line for each change elsewhere."""
    return _watch_live(looks) if sys.stdout.isatty() else _watch_plain(looks)


def _watch_live(looks: Iterable[Run]) -> Run:
    last: Run | None = None
    with Live(console=Console(), refresh_per_second=4) as live:
        for last in looks:
            live.update(run_tree(last))
    assert last is not None
    return last


def _watch_plain(looks: Iterable[Run]) -> Run:
    said: dict[str, str] = {}
    retries: set[tuple[str, str, int]] = set()
    last: Run | None = None
    for last in looks:
        for step in last.steps:
            line = f"{step.name}: {state_of(step)}"
            new = [line] if step.phases and said.get(step.name) != line else []
            said[step.name] = line
            for each in step.retries:
                if (key := (step.name, each.path, each.attempts)) not in retries:
                    retries.add(key)
                    new.append(retry_words(step, each))
            for words in new:
                click.echo(f"{datetime.now().astimezone():%H:%M:%S %Z} {words}")
        sys.stdout.flush()
    assert last is not None
    return last
