"""The progress of a run: `mfhera status`."""

from __future__ import annotations

from collections import deque

import click

from metaflow_hera.cli.choosing import ChosenRun, chosen_run
from metaflow_hera.cli.click_options import as_json
from metaflow_hera.cli.completing import complete_run
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.words import json_text, say_note


@click.command(
    cls=Verb,
    examples=(
        "mfhera status",
        "mfhera status argo-flow-x7k2p --watch",
    ),
)
@click.argument("run", metavar="[RUN]", required=False, shell_complete=complete_run)
@click.option("--watch", is_flag=True, help="Show it until the run ends.")
@as_json
def status(run: str | None, watch: bool, as_json: bool) -> None:
    """Show the steps of RUN with their states.

    Without RUN, it is the one last started from this folder.
    """
    show_status(chosen_run(run), watch, as_json)


def show_status(chosen: ChosenRun, watch: bool, as_json: bool) -> None:
    """Show a run."""
    from metaflow_hera.argo import runs
    from metaflow_hera.argo.following import follow

    client, run = chosen
    if watch and not as_json:
        from metaflow_hera.cli import showing

        showing.watch(follow(client, run, steps=True, note=say_note))
        return
    if watch:
        deque(follow(client, run, steps=False, note=say_note), maxlen=0)
    current = runs.get(client, run)
    if as_json:
        click.echo(json_text(current.as_json()))
        return
    from metaflow_hera.cli.showing import write_run

    write_run(current)


command = status
