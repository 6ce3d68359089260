"""When schedules start a deployment: `mfhera schedule`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from metaflow_hera.cli.choosing import chosen_deployment, client_at
from metaflow_hera.cli.click_options import as_json, deployment_options
from metaflow_hera.cli.completing import complete_flow
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.words import json_text
from metaflow_hera.errors import OptionError

if TYPE_CHECKING:
    from metaflow_hera.argo.last import LastDeployment


@click.command(cls=Verb, examples=("mfhera schedule --count 10",))
@click.argument("flow", metavar="[FLOW.py]", required=False, shell_complete=complete_flow)
@deployment_options
@click.option("--name", metavar="NAME", help="Name of the deployment; FLOW.py is then not needed.")
@click.option("--count", "-n", type=int, default=5, show_default=True, help="How many starts to show.")
@as_json
def schedule(flow: str | None, top_level: list[str], name: str | None, count: int, as_json: bool) -> None:
    """Show the schedules of a deployment and its next starts.

    Without FLOW.py, it is the flow last deployed or started from this folder.
    """
    deployment, last = chosen_deployment(flow, top_level, name)
    show_schedule(deployment, count, as_json, last)


def show_schedule(deployment: str, count: int, as_json: bool, last: LastDeployment | None = None) -> None:
    """Show the schedules of a deployment, and the next `count` times at which they start it."""
    if count < 1:
        raise OptionError(f"--count {count} is not valid: give 1 or more.")
    from metaflow_hera.argo import deployments
    from metaflow_hera.argo.schedules import firings, schedules_of
    from metaflow_hera.cli.tables import Table

    client = client_at(start=False, last=last)
    deployments.existing(client, deployment)
    found = schedules_of(client, deployment)
    times = firings(found, count)
    if as_json:
        about = {
            "name": deployment,
            "schedules": [asdict(each) for each in found],
            "next": [{"time": firing.time, "schedule": firing.schedule.expression} for firing in times],
        }
        click.echo(json_text(about))
        return
    if not found:
        click.echo(f"{deployment} has no schedule: it starts only when a user or an event starts it.")
        return
    for each in found:
        notes = ", suspended" if each.suspended else ""
        click.echo(f"{each.expression} ({each.zone}{notes})")
    rows = [
        (f"{firing.time:%Y-%m-%d %H:%M} UTC", f"{firing.time.astimezone():%Y-%m-%d %H:%M %Z}", firing.in_zone)
        for firing in times
    ]
    names = ("NEXT", "HERE", "IN ITS ZONE")
    told = [at for at in range(len(names)) if at == 0 or any(row[at] != row[0] for row in rows)]
    shown = [tuple(row[at] for at in told) for row in rows]
    Table(tuple(names[at] for at in told), shown, optional=("NEXT",)).show(
        empty="It is suspended: it starts nothing."
    )


command = schedule
