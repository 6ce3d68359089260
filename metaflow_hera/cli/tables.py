"""Tables, and the tree of a run: with colours on a terminal, plain text elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from metaflow_hera.argo.progress import StepProgress
from metaflow_hera.argo.runs import Run, parse_time
from metaflow_hera.cli.words import local_time, took

STYLES = {
    "Succeeded": "green",
    "Failed": "bold red",
    "Error": "bold red",
    "Running": "cyan",
    "Pending": "yellow",
    "Waiting": "dim",
    "Skipped": "dim",
}
MARKS = {
    "Succeeded": "✓",
    "Failed": "✗",
    "Error": "✗",
    "Running": "▶",
    "Pending": "…",
    "Waiting": "·",
    "Skipped": "-",
}
PLAIN_WIDTH = 200
"""How wide lines may be where there is no terminal, whose width would be guessed."""
MAX_FAILURES = 10
"""How many failed tasks of a step are shown one by one."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
    """Write rows under a head, in columns; or the sentence for no rows at all."""
    if not rows:
        click.echo(empty)
        return
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def write_run(run: Run) -> None:
    """Write the tree of a run as it is now."""
    console = Console()
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    console.print(_tree(run))


def watch(looks: Iterable[Run]) -> Run:
    """Show each look at a run, a live tree on a terminal and a line for each change elsewhere."""
    return _watch_live(looks) if sys.stdout.isatty() else _watch_plain(looks)


def _watch_live(looks: Iterable[Run]) -> Run:
    last: Run | None = None
    with Live(console=Console(), refresh_per_second=4) as live:
        for last in looks:
            live.update(_tree(last))
    assert last is not None
    return last


def _watch_plain(looks: Iterable[Run]) -> Run:
    said: dict[str, str] = {}
    last: Run | None = None
    for last in looks:
        for step in last.steps:
            line = f"{step.name}: {_state(step)}"
            if step.phases and said.get(step.name) != line:
                said[step.name] = line
                click.echo(f"{datetime.now().strftime('%H:%M:%S')} {line}")
        sys.stdout.flush()
    assert last is not None
    return last


def _tree(run: Run) -> Group:
    head = Text(f"{run.pathspec} ", style="bold")
    head.append(run.phase, style=STYLES.get(run.phase, ""))
    head.append(
        f"  {took(run.duration(datetime.now(timezone.utc)))}  started {local_time(run.started_at)}", "dim"
    )
    root = Tree(head)
    branches = {0: root}
    for step in run.steps:
        branch = branches[min(step.depth, max(branches))].add(_line(step))
        # What is inside a foreach hangs below the step that opens it.
        branches = {depth: tree for depth, tree in branches.items() if depth <= step.depth}
        branches[step.depth + 1] = branch
        for line in _failures(step):
            branch.add(line)
    return Group(root, *([Text(run.message, style="red")] if run.message else []))


def _line(step: StepProgress) -> Text:
    style = STYLES.get(step.phase, "")
    text = Text(f"{MARKS.get(step.phase, '?')} {step.name} ", style=style)
    text.append(_state(step), style="default" if step.phases else "dim")
    start, end = parse_time(step.started_at), parse_time(step.finished_at)
    if start is not None:
        ended = end if step.phase in ("Succeeded", "Failed", "Error") else None
        text.append(f"  {took((ended or datetime.now(timezone.utc)) - start)}", style="dim")
    return text


def _state(step: StepProgress) -> str:
    words = step.phase
    whole = max(step.tasks, step.expected or 0)
    if step.depth and whole:
        words += f" {step.phases.get('Succeeded', 0)}/{whole}"
        running = step.phases.get("Running", 0)
        words += f", {running} running" if running else ""
        failed = len(step.failures)
        words += f", {failed} failed" if failed else ""
    if step.attempts > step.tasks:
        words += f" ({step.attempts} attempts)"
    return words


def _failures(step: StepProgress) -> Iterator[Text]:
    for failure in step.failures[:MAX_FAILURES]:
        again = f" after {failure.attempts} attempts" if failure.attempts > 1 else ""
        yield Text(f"{step.name}{failure.path} failed{again}: {failure.message}", style="red")
    if len(step.failures) > MAX_FAILURES:
        yield Text(f"and {len(step.failures) - MAX_FAILURES} more", style="red")
