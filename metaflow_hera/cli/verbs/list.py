"""What is deployed: `mfhera list`."""

from __future__ import annotations

import click

from metaflow_hera.cli.choosing import client_at
from metaflow_hera.cli.click_options import as_json
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.words import json_text, say_note
from metaflow_hera.display.times import local_time, noted_time


@click.command("list", cls=Verb, examples=("mfhera list",))
@as_json
def list_deployments(as_json: bool) -> None:
    """List what is deployed: flow, version, owner, time, schedule, its last run and its next start."""
    from metaflow_hera.cli.tables import Table
    from metaflow_hera.operations.overview import overview

    found = overview(client_at(start=False))
    if as_json:
        click.echo(json_text([each.as_json() for each in found]))
        return
    Table(
        ("NAME", "FLOW", "VERSION", "OWNER", "DEPLOYED", "SCHEDULE", "LAST RUN", "NEXT START"),
        [
            (
                *(each.deployed.name, each.deployed.flow),
                str(each.deployed.version or "-"),
                *(each.deployed.owner, noted_time(each.deployed.deployed_at)),
                ", ".join(each.deployed.schedules) or "-",
                each.last_run.phase if each.last_run else "-",
                local_time(each.next_start),
            )
            for each in found
        ],
        optional=("OWNER", "DEPLOYED", "FLOW", "SCHEDULE", "VERSION", "NEXT START"),
    ).show(
        empty="Nothing is deployed: mfhera create FLOW.py deploys a flow.",
    )
    for each in found:
        if each.deployed.unfinished:
            say_note(each.deployed.unfinished)


command = list_deployments
