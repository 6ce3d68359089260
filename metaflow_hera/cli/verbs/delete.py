"""Removing a deployment, or a run: `mfhera delete`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from metaflow_hera.choices import verbs
from metaflow_hera.cli.choosing import client_at
from metaflow_hera.cli.click_options import as_json, by_name, deployment_options, shared
from metaflow_hera.cli.completing import complete_flow, complete_run
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.words import json_text
from metaflow_hera.errors import OptionError

if TYPE_CHECKING:
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow


@click.command(
    cls=Verb,
    examples=(
        "mfhera delete flow.py",
        "mfhera delete --run argo-flow-x7k2p",
    ),
)
@click.argument("flow", metavar="[FLOW.py]", required=False, shell_complete=complete_flow)
@deployment_options
@by_name
@click.option(
    "--run",
    metavar="RUN",
    help="Remove this run from Argo, not a deployment; its results stay.",
    shell_complete=complete_run,
)
@shared(verbs.AUTHORIZE)
@as_json
def delete(
    flow: str | None,
    top_level: list[str],
    name: str | None,
    run: str | None,
    authorize: str | None,
    as_json: bool,
) -> None:
    """Remove the deployment of FLOW.py.

    It removes all that create made: template, schedules, sensor. Runs and results stay.
    """
    if run is not None:
        if flow is not None or name is not None:
            raise OptionError("--run removes a run, not a deployment: leave out FLOW.py and --name.")
        remove_run(run, authorize, as_json)
        return
    loaded = None
    if flow is not None:
        from metaflow_hera.metaflow_api.load.flows import load_flow
        from metaflow_hera.operations.belonging import name_of

        loaded = load_flow(flow, top_level)
        name = name_of(loaded, name)
    elif name is None:
        raise OptionError("Say what to delete: FLOW.py, or --name with the name of a deployment.")
    remove(name, authorize, as_json, loaded)


def remove(name: str, authorize: str | None, as_json: bool = False, flow: LoadedFlow | None = None) -> None:
    """Remove a deployment and report it. If `flow` is given, the deployment must be that flow's."""
    from metaflow_hera.operations import removal

    removed = removal.remove(client_at(start=False), name, authorize, flow)
    if as_json:
        click.echo(json_text({"name": name, "deleted": list(removed)}))
        return
    for each in removed:
        click.echo(f"Deleted the {each}.")


def remove_run(run: str, authorize: str | None, as_json: bool) -> None:
    """Remove a run from Argo and report it."""
    from metaflow_hera.operations import control

    removed = control.delete(client_at(start=False), run, authorize)
    if as_json:
        click.echo(json_text(removed.as_json()))
    else:
        click.echo(f"Deleted {removed.run_id} from Argo; its results stay in the datastore.")


command = delete
