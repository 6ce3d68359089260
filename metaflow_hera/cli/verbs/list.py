"""What is deployed: `mfhera list`."""

from __future__ import annotations

from dataclasses import asdict

import click

from metaflow_hera.cli.choosing import client_at
from metaflow_hera.cli.click_options import as_json
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.words import json_text, say_note


@click.command("list", cls=Verb, examples=("mfhera list",))
@as_json
def list_deployments(as_json: bool) -> None:
    """List what is deployed: flow, version, owner, time, schedule."""
    from metaflow_hera.argo.deployments import deployed
    from metaflow_hera.cli.words import table

    found = list(deployed(client_at(start=False)))
    if as_json:
        click.echo(json_text([asdict(deployment) for deployment in found]))
        return
    table(
        ("NAME", "FLOW", "VERSION", "OWNER", "DEPLOYED", "SCHEDULE"),
        [
            (
                d.name,
                d.flow,
                str(d.version or "-"),
                d.owner,
                d.deployed_at or "-",
                ", ".join(d.schedules) or "-",
            )
            for d in found
        ],
        empty="Nothing is deployed: mfhera create FLOW.py deploys a flow.",
    )
    for deployment in found:
        if deployment.unfinished:
            say_note(deployment.unfinished)


command = list_deployments
