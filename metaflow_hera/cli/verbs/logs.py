"""What tasks printed: `mfhera logs`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from metaflow_hera.choices import verbs
from metaflow_hera.cli.choosing import ChosenRun, chosen_run
from metaflow_hera.cli.click_options import shared
from metaflow_hera.cli.completing import complete_run, complete_step
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.words import json_text, say_note
from metaflow_hera.display.times import local_time
from metaflow_hera.errors import ArgoNotFound, OptionError

if TYPE_CHECKING:
    from metaflow_hera.operations.logs import Line, Wanted

BLOCK = 1 << 16
"""How many characters are written at once where nobody waits for each line."""
COLOURS = ("cyan", "magenta", "blue", "green", "yellow")


@dataclass(frozen=True)
class LogOptions:
    """Which lines to show, and how: the options of `logs`. Raises OptionError if they do not fit."""

    follow: bool
    stdout: bool
    stderr: bool
    attempt: int | None
    timestamps: bool
    tail: int | None
    all_lines: bool
    as_json: bool

    def __post_init__(self) -> None:
        if self.follow and (self.stdout or self.stderr or self.timestamps or self.tail is not None):
            raise OptionError(
                "--stdout, --stderr, --timestamps and --tail do not go with --follow: "
                "a pod's log has both streams in one, and no times."
            )
        for option, number in (("--attempt", self.attempt), ("--tail", self.tail)):
            if number is not None and number < 0:
                raise OptionError(f"{option} {number} is not valid: give 0 or more.")


@click.command(
    cls=Verb,
    examples=(
        "mfhera logs",
        "mfhera logs argo-flow-x7k2p train/0-3 --follow",
    ),
)
@click.argument("run", metavar="[RUN", required=False, shell_complete=complete_run)
@click.argument("place", metavar="[STEP[/TASK]]]", required=False, shell_complete=complete_step)
@shared(verbs.LOGS)
@click.option("--json", "as_json", is_flag=True, help="Write a JSON object for each line.")
def logs(run: str | None, place: str | None, **how: Any) -> None:
    """Show what the tasks of RUN printed.

    Without RUN, it is the one last started from this folder. TASK is a task's id
    (train-0-3), or its indices in the foreachs around it (0-3).
    """
    options = LogOptions(**how)
    try:
        show_logs(chosen_run(run), place, options)
    except ArgoNotFound as error:
        from metaflow_hera.argo.last import recall_run

        last = recall_run(None) if run and run.isidentifier() and place is None else None
        if last is None:
            raise
        raise ArgoNotFound(
            f"{error} A step is named after its run: mfhera logs {last.run_id} {run}."
        ) from error


def show_logs(chosen: ChosenRun, place: str | None, options: LogOptions) -> None:
    """Write the lines of a run's tasks, one by one as they are read."""
    from metaflow_hera.metaflow_api.read.tasklogs import STREAMS
    from metaflow_hera.operations import logs

    client, run = chosen
    only = [name for name, is_asked in (("stdout", options.stdout), ("stderr", options.stderr)) if is_asked]
    streams = tuple(only) or STREAMS
    wanted = logs.Wanted.parse(
        run,
        place,
        attempt=options.attempt,
        streams=streams,
        tail=options.tail,
        all_lines=options.all_lines,
    )
    read = logs.follow if options.follow else logs.lines
    found = read(client, wanted, say_note)
    if options.tail is not None:
        found = iter(deque(found, maxlen=options.tail))
    texts: Iterator[str]
    if options.as_json:
        texts = (json_text(vars(line), indent=None) for line in found)
    else:
        texts = _texts(found, wanted, options.timestamps)
    is_chosen = place is not None or only or options.tail is not None or options.all_lines
    if not _write(texts, size=1 if options.follow else BLOCK) and not is_chosen:
        say_note("Its tasks have printed nothing. --all-lines shows what their pods wrote of themselves.")


def _write(texts: Iterator[str], size: int) -> bool:
    """Write lines, so many characters of them at a time: to write each takes longer than to read it.

    Returns whether there were any.
    """
    any_text = False
    block: list[str] = []
    length = 0
    try:
        for text in texts:
            any_text = True
            block.append(text)
            length += len(text) + 1
            if length >= size:
                whole, block, length = "\n".join(block), [], 0
                click.echo(whole)
    finally:
        if block:
            click.echo("\n".join(block))
    return any_text


def _texts(lines: Iterator[Line], wanted: Wanted, timestamps: bool) -> Iterator[str]:
    """Lines, each with its task and its attempt unless those were asked for."""
    colours: dict[str, str] = {}
    for line in lines:
        time = f"{local_time(line.time)} " if timestamps and line.time else ""
        colour = colours.setdefault(line.step, COLOURS[len(colours) % len(COLOURS)])
        task = f"{line.step}/{line.task}" if wanted.task is None else ""
        again = f"(attempt {line.attempt})" if line.attempt and (task or wanted.attempt is None) else ""
        words = " ".join(filter(None, (task, again)))
        place = click.style(f"{words}: ", fg=colour) if words else ""
        yield f"{place}{click.style(time, dim=True) if time else ''}{line.text}"


command = logs
