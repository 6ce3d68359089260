"""What a deployment needs, checked for real: `mfhera doctor`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from metaflow_hera.cli.click_options import as_json
from metaflow_hera.cli.completing import complete_known
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.tables import folded
from metaflow_hera.cli.words import json_text
from metaflow_hera.display.visible import visible
from metaflow_hera.errors import OptionError

if TYPE_CHECKING:
    from metaflow_hera.operations.health.findings import Finding

COLOURS = {"ok": "green", "failed": "red", "warning": "yellow", "not checked": "bright_black"}
"""Click's names for the colours of the states, in the order in which they are counted."""
WIDTH = max(map(len, COLOURS))


@click.command(
    cls=Verb,
    examples=(
        "mfhera doctor",
        "mfhera doctor --datastore s3 --probe",
        "mfhera doctor --print rbac | kubectl apply -f -",
    ),
)
@click.option(
    "--datastore",
    metavar="NAME",
    help="Datastore to check; by default Metaflow's configured one.",
    shell_complete=complete_known("datastore"),
)
@click.option(
    "--probe", is_flag=True, help="Also make a small run, to look from within a pod; it is deleted."
)
@click.option(
    "--timeout",
    type=click.IntRange(min=1),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="How long the run of --probe may take.",
)
@click.option(
    "--print",
    "printed",
    type=click.Choice(["rbac", "storage", "events", "image"]),
    help="Check nothing; write what a cluster needs, for kubectl apply -f - (image: a Dockerfile).",
)
@as_json
def doctor(datastore: str | None, probe: bool, timeout: int, printed: str | None, as_json: bool) -> None:
    """Check all that a deployment needs, with what to do beside what fails.

    It asks Argo's server, the datastore and the metadata service that are configured. Exits with 1 if
    something has failed.
    """
    if printed is not None:
        from metaflow_hera.operations.cluster_files import text_of

        if as_json:
            raise OptionError("--print writes a file: leave out --json.")
        click.echo(text_of(printed, datastore), nl=False)
        return
    from metaflow_hera.operations.health.examination import examine
    from metaflow_hera.operations.health.findings import has_failed

    found: list[Finding] = []
    for finding in examine(datastore, probe_seconds=timeout if probe else None):
        if not as_json:
            show(finding, heading=not found or found[-1].part != finding.part)
        found.append(finding)
    if as_json:
        click.echo(json_text([asdict(finding) for finding in found]))
    else:
        states = [finding.state for finding in found]
        counts = [f"{states.count(state)} {state}" for state in COLOURS if state in states]
        click.echo(f"\n{', '.join(counts)}")
    if has_failed(found):
        raise click.exceptions.Exit(1)


def show(finding: Finding, *, heading: bool) -> None:
    """Write a finding: its state, what it is, and on a line of its own what to do."""
    if heading:
        click.secho(finding.part, bold=True)
    state = click.style(f"{finding.state:{WIDTH}}", fg=COLOURS[finding.state])
    below = " " * (WIDTH + len("    "))
    found = folded(f"{below}{visible(finding.what)}: {visible(finding.found)}", below)
    click.echo(f"  {state}  {found.removeprefix(below)}")
    if finding.mend is not None:
        click.echo(folded(f"{below}-> {visible(finding.mend)}", f"{below}   "))


command = doctor
