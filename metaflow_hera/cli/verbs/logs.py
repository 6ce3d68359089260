"""What tasks printed: `mfhera logs`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from metaflow_hera.choices import verbs
from metaflow_hera.cli.choosing import chosen_run
from metaflow_hera.cli.click_options import shared
from metaflow_hera.cli.completing import complete_run
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.words import json_text, say_note
from metaflow_hera.errors import OptionError

if TYPE_CHECKING:
    from metaflow_hera.operations.logs import Line, Wanted

COLOURS = ("cyan", "magenta", "blue", "green", "yellow")


@click.command(
    cls=Verb,
    examples=(
        "mfhera logs",
        "mfhera logs argo-flow-x7k2p train/0-3 --follow",
    ),
)
@click.argument("run", metavar="[RUN", required=False, shell_complete=complete_run)
@click.argument("place", metavar="[STEP[/TASK]]]", required=False)
@shared(verbs.LOGS)
@click.option("--json", "as_json", is_flag=True, help="Write a JSON object for each line.")
def logs(
    run: str | None,
    place: str | None,
    follow: bool,
    stdout: bool,
    stderr: bool,
    attempt: int | None,
    timestamps: bool,
    tail: int | None,
    as_json: bool,
) -> None:
    """Show what the tasks of RUN printed.

    Without RUN, it is the one last started from this folder. TASK is a task's id
    (train-0-3), or its indices in the foreachs around it (0-3).
    """
    show_logs(run, place, follow, stdout, stderr, attempt, timestamps, tail, as_json)


def show_logs(
    run: str | None,
    place: str | None,
    follow: bool,
    stdout: bool,
    stderr: bool,
    attempt: int | None,
    timestamps: bool,
    tail: int | None,
    as_json: bool,
) -> None:
    """Write the lines of a run's tasks, one by one as they are read."""
    only = [name for name, is_asked in (("stdout", stdout), ("stderr", stderr)) if is_asked]
    if follow and (only or timestamps or tail is not None):
        raise OptionError(
            "--stdout, --stderr, --timestamps and --tail do not go with --follow: "
            "a pod's log has both streams in one, and no times."
        )
    for option, number in (("--attempt", attempt), ("--tail", tail)):
        if number is not None and number < 0:
            raise OptionError(f"{option} {number} is not valid: give 0 or more.")
    client, run = chosen_run(run)
    from metaflow_hera.metaflow_api.read.tasklogs import STREAMS
    from metaflow_hera.operations import logs

    streams = tuple(only) or STREAMS
    wanted = logs.Wanted.parse(run, place, attempt=attempt, streams=streams, tail=tail)
    found = logs.follow(client, wanted, say_note) if follow else logs.lines(client, wanted, say_note)
    if tail is not None:
        found = iter(deque(found, maxlen=tail))
    if as_json:
        for line in found:
            click.echo(json_text(asdict(line), indent=None))
    else:
        _write(found, wanted, timestamps)


def _write(lines: Iterator[Line], wanted: Wanted, timestamps: bool) -> None:
    """Write lines, each with its task and its attempt unless those were asked for."""
    colours: dict[str, str] = {}
    for line in lines:
        time = f"{line.time.astimezone():%Y-%m-%d %H:%M:%S} " if timestamps and line.time else ""
        colour = colours.setdefault(line.step, COLOURS[len(colours) % len(COLOURS)])
        task = f"{line.step}/{line.task}" if wanted.task is None else ""
        again = f"(attempt {line.attempt})" if line.attempt and (task or wanted.attempt is None) else ""
        words = " ".join(filter(None, (task, again)))
        place = click.style(f"{words}: ", fg=colour) if words else ""
        click.echo(f"{place}{click.style(time, dim=True) if time else ''}{line.text}")


command = logs
