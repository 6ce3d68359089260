"""Acting on a run and reporting the result: suspend, resume, stop, terminate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from metaflow_hera.cli.choosing import ChosenRun
from metaflow_hera.cli.words import json_text, say_note
from metaflow_hera.errors import ArgoError

if TYPE_CHECKING:
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow
    from metaflow_hera.operations.control import Action

DONE = {
    "suspend": "Suspended {run}: running tasks go on to their end, no others start.",
    "resume": "Resumed {run}.",
    "stop": "Stopped {run}: its tasks end, then its exit hooks run.",
    "terminate": "Terminated {run}.",
}


def act(
    chosen: ChosenRun,
    action: Action,
    authorize: str | None,
    as_json: bool = False,
    flow: LoadedFlow | None = None,
) -> None:
    """Act on a run and report the result.

    If `flow` is given, the run must be one of its runs.
    """
    from metaflow_hera.argo import runs
    from metaflow_hera.operations import control

    client, run = chosen
    done = control.act(client, run, action, authorize, flow)
    if as_json:
        try:
            done = runs.get(client, done.run_id)
        except ArgoError as error:  # it is done all the same
            say_note(f"{done.run_id}, as it was before: {error}")
        click.echo(json_text(done.as_json()))
    elif action == "suspend" and done.suspended:
        click.echo(f"{done.run_id} is already suspended.")
    else:
        click.echo(DONE[action].format(run=done.run_id))
