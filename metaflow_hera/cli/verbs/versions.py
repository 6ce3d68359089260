"""The versions of a deployment: `mfhera versions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from metaflow_hera.cli.choosing import chosen_deployment, client_at
from metaflow_hera.cli.click_options import as_json, by_name, deployment_options
from metaflow_hera.cli.completing import complete_flow
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.words import json_text, say_note
from metaflow_hera.display.times import noted_time

if TYPE_CHECKING:
    from metaflow_hera.argo.last import LastDeployment
    from metaflow_hera.operations.versions import Version

COMMIT = 9
"""How many characters of a commit are shown."""


@click.command(
    cls=Verb,
    examples=(
        "mfhera versions",
        "mfhera versions flow.py --limit 10",
    ),
)
@click.argument("flow", metavar="[FLOW.py]", required=False, shell_complete=complete_flow)
@deployment_options
@by_name
@click.option("--limit", type=click.IntRange(1), metavar="N", help="List only the N newest.")
@as_json
def versions(
    flow: str | None, top_level: list[str], name: str | None, limit: int | None, as_json: bool
) -> None:
    """List the versions of a deployment, and which one is live.

    Without FLOW.py, it is the flow last deployed or started from this folder.
    """
    deployment, last = chosen_deployment(flow, top_level, name)
    show_versions(deployment, as_json, limit, last)


def show_versions(
    deployment: str, as_json: bool, limit: int | None = None, last: LastDeployment | None = None
) -> None:
    """Show the versions of a deployment, the newest first."""
    from metaflow_hera.cli.tables import Table
    from metaflow_hera.operations.versions import versions_of

    found = versions_of(client_at(start=False, last=last), deployment)
    shown = found.versions[:limit]
    if as_json:
        click.echo(json_text([each.as_json() for each in shown]))
    else:
        Table(
            ("VERSION", "DEPLOYED", "BY", "COMMIT", "WHY"),
            [
                (
                    f"{each.number or '-'}{' (live)' if each.live else ''}",
                    noted_time(each.deployed_at),
                    each.user,
                    _commit(each),
                    each.words or "-",
                )
                for each in shown
            ],
            optional=("COMMIT", "BY"),
            folding="WHY",
        ).show(empty="")
    for note in found.notes:
        say_note(note)


def _commit(version: Version) -> str:
    if version.commit is None:
        return "-"
    changed = ["changed"] if version.dirty else []
    return " ".join([version.commit[:COMMIT], *([version.branch] if version.branch else []), *changed])


command = versions
