"""Going back to an earlier version of a deployment: `mfhera rollback`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from metaflow_hera.choices import verbs
from metaflow_hera.cli.choosing import chosen_flow, client_at
from metaflow_hera.cli.click_options import as_json, by_name, deployment_options, shared
from metaflow_hera.cli.completing import complete_flow
from metaflow_hera.cli.differences import View, show
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.words import json_text, say_note

if TYPE_CHECKING:
    from metaflow_hera.argo.last import LastDeployment
    from metaflow_hera.comparison.records import Difference
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow
    from metaflow_hera.operations.rollback import RolledBack


@click.command(
    cls=Verb,
    examples=(
        "mfhera rollback flow.py",
        "mfhera rollback --name flow --to 5 --dry-run",
    ),
)
@click.argument("flow", metavar="[FLOW.py]", required=False, shell_complete=complete_flow)
@deployment_options
@by_name
@shared(verbs.ROLLBACK)
@shared(verbs.AUTHORIZE)
@as_json
def rollback(
    flow: str | None,
    top_level: list[str],
    name: str | None,
    to: int | None,
    message: str | None,
    dry_run: bool,
    authorize: str | None,
    as_json: bool,
) -> None:
    """Make an earlier version of a deployment live again.

    Its manifest, schedules, sensor and code package are deployed again, as a new version. Runs that have
    started continue with their own version. Without FLOW.py, it is the flow last
    deployed or started from this folder.
    """
    deployment, last, loaded = chosen_flow(flow, top_level, name)
    go_back(deployment, Asked(to, message, dry_run, authorize), as_json, loaded, last)


@dataclass(frozen=True)
class Asked:
    """How to go back: the options of `choices.verbs.ROLLBACK`."""

    to: int | None
    message: str | None
    dry_run: bool
    authorize: str | None


def go_back(
    name: str,
    asked: Asked,
    as_json: bool,
    flow: LoadedFlow | None = None,
    last: LastDeployment | None = None,
) -> None:
    """Go back to a version and report it. If `flow` is given, the deployment must be that flow's."""
    from metaflow_hera.operations import rollback as operation
    from metaflow_hera.operations.kinds import KINDS

    done = operation.rollback(
        client_at(start=False, last=last),
        name,
        asked.to,
        authorize=asked.authorize,
        message=asked.message,
        flow=flow,
        dry_run=asked.dry_run,
    )
    for note in done.notes:
        say_note(note)
    found = _difference(done) if asked.dry_run else None
    if as_json:
        about = _about(done, dry_run=asked.dry_run)
        click.echo(json_text(about if found is None else {**about, "difference": asdict(found)}))
        return
    click.echo(_sentence(done, dry_run=asked.dry_run))
    for change in done.plan.changes:
        click.echo(f"  {change.action:<7}  {KINDS[change.kind].words} {change.name}")
    if found is not None:
        show(found, View())


def _difference(done: RolledBack) -> Difference | None:
    """What a rollback changes; None where it only completes the live version."""
    from metaflow_hera.operations.sides import changed_by

    return None if done.completed else changed_by(done.plan)


def _sentence(done: RolledBack, *, dry_run: bool) -> str:
    if done.completed:
        return f"{'Would complete' if dry_run else 'Completed'} version {done.version} of {done.deployment}."
    verb = "Would roll back" if dry_run else "Rolled back"
    return f"{verb} {done.deployment} to version {done.to}, as version {done.version}."


def _about(done: RolledBack, *, dry_run: bool) -> dict[str, object]:
    return {
        "name": done.deployment,
        "flow": done.flow,
        "version": done.version,
        "to": done.to,
        "dry_run": dry_run,
        "changes": [
            {"action": change.action, "kind": change.kind, "name": change.name}
            for change in done.plan.changes
        ],
    }


command = rollback
