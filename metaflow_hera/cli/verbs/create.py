"""Deploying a flow: `mfhera create`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaflow_hera.choices import verbs
from metaflow_hera.choices.deployment import CreateOptions
from metaflow_hera.cli.choosing import client_at
from metaflow_hera.cli.click_options import as_json, metaflow_options, shared
from metaflow_hera.cli.completing import complete_flow
from metaflow_hera.cli.exporting import ExportOptions, read_export, write_export
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.verbs.lint import check
from metaflow_hera.cli.words import json_text, say_note
from metaflow_hera.contract.manifest import event_name
from metaflow_hera.errors import OptionError
from metaflow_hera.metaflow_api.light.scripts import flows_in

if TYPE_CHECKING:
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow
    from metaflow_hera.operations.deployment import Created, Prepared


@click.command(
    cls=Verb,
    examples=(
        "mfhera create flow.py --with retry",
        "mfhera create flow.py --only-yaml --output flow.yaml",
    ),
)
@click.argument("flow", metavar="[FLOW.py]", required=False, shell_complete=complete_flow)
@metaflow_options
@shared(verbs.NAME)
@click.option("--from", "source", metavar="FILE", help="Deploy FILE, which --only-yaml or --only-json wrote.")
@shared(verbs.CREATE)
@shared(verbs.EXPORT)
@as_json
def create(
    flow: str | None,
    top_level: list[str],
    source: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Translate FLOW.py and deploy it.

    From then on this is the version in production: trigger, schedules and events start it.
    """
    export = ExportOptions.taken_from(given)
    if (flow is None) == (source is None):
        here = flows_in(Path())
        example = f", such as mfhera create {shlex.quote(str(here[0]))}" if here and not source else ""
        raise OptionError(
            f"Say what to deploy: FLOW.py{example}, or --from with a file that --only-yaml wrote."
        )
    if source is not None:
        _refuse_beside_from(export, top_level, given)
        deploy_from(source, given["authorize"], as_json)
        return
    from metaflow_hera.metaflow_api.load.flows import load_flow
    from metaflow_hera.metaflow_api.load.packages import Packing

    settings = CreateOptions(**given)
    loaded = load_flow(str(flow), top_level)
    with Packing(loaded) as packing:
        from metaflow_hera.operations import deployment  # meanwhile: it imports Hera

        prepared = deployment.prepare(loaded, settings, packing)
        if export.form is not None:
            write_export(prepared, export.form, export)
        elif export.dry_run:
            check(prepared, as_json)
        else:
            deploy(prepared, f"mfhera create {shlex.quote(str(flow))}", "mfhera trigger", as_json)


def _refuse_beside_from(export: ExportOptions, top_level: list[str], given: Mapping[str, Any]) -> None:
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    asked = [name for name in given if name != "authorize" and context.get_parameter_source(name) != default]
    if export.form or export.dry_run or top_level or asked:
        raise OptionError(
            "With --from everything comes from the file: it allows no option but --authorize and --json."
        )


def deploy_from(source: str, authorize: str | None, as_json: bool) -> None:
    """Deploy an export, a file or a folder of files, and report it."""
    from metaflow_hera.operations.exports import create_from

    objects = read_export(source)
    client = client_at(start=True)
    about = create_from(objects, client, authorize, say_note)
    if as_json:
        click.echo(json_text({"name": about.name, "flow": about.flow, "server": client.target.host}))
        return
    click.echo(f"Deployed {click.style(about.flow, bold=True)} as {about.name}, from {source}.")
    click.echo("It has no version yet: the next mfhera create or rollback records it in the history.")


def deploy(prepared: Prepared, again: str, trigger: str, as_json: bool) -> Created:
    """Deploy a flow and report it; `again` is the command that deploys it again, `trigger` starts a run."""
    from metaflow_hera.operations import deployment

    client = client_at(start=True)
    target = client.target
    created = deployment.create(prepared, client)
    for note in created.meanwhile:
        say_note(note)
    if as_json:
        about = {
            "name": created.name,
            "flow": created.flow,
            "version": created.version,
            "namespace": f"production:{created.token}",
            "server": target.host,
            "schedules": _schedules(created),
            "footprint": created.objects.footprint.sizes(),
        }
        click.echo(json_text(about))
        return created
    flow = click.style(created.flow, bold=True)
    click.echo(f"Deployed {flow} as {created.name}, version {created.version}.")
    click.echo(
        f"Results are in the namespace production:{created.token}"
        + (", a new one:" if created.token_is_new else ":")
    )
    click.echo(f'    namespace("production:{created.token}")')
    if created.token_is_new:
        click.echo(f"Others may deploy it with: {again} --authorize {created.token}")
    for schedule in _schedules(created):
        click.echo(f"It is started by the schedule {schedule}.")
    for sentence in starts(prepared.flow):
        click.echo(sentence)
    if target.embedded:
        for sentence in ends_of_nobody(prepared.flow, client):
            click.echo(sentence)
    for note in deployment.notes(prepared, created, target):
        click.echo(note)
    click.echo(f"Start a run with: {trigger}")
    return created


def _schedules(created: Created) -> list[str]:
    return [
        f"{expression} ({cron.timezone})"
        for cron in created.objects.crons
        for expression in cron.schedules or ()
    ]


def starts(flow: LoadedFlow) -> Iterator[str]:
    """Sentences that say which events start a flow."""
    from metaflow_hera.metaflow_api.load.triggers import trigger_groups

    groups = trigger_groups(flow)
    words = []
    for group in groups:
        names = [trigger.name for trigger in group.triggers]
        words.append((" or " if group.any_of else " and ").join(names))
    if words:
        several = len(groups) > 1 or len(groups[0].triggers) > 1
        yield f"It is started by the {'events' if several else 'event'} {', and '.join(words)}."
    own = event_name(flow.project.get("project_flow_name", flow.name), "end")
    if any(trigger.name == own for group in groups for trigger in group.triggers):
        yield "Its own end starts it again: once started, it goes on until it fails or is deleted."


def ends_of_nobody(flow: LoadedFlow, client: ArgoClient) -> Iterator[str]:
    """Sentences on the flows whose end starts a flow, and which are not deployed."""
    from metaflow_hera.argo.deployments import deployed
    from metaflow_hera.metaflow_api.load.triggers import RUN, trigger_groups

    ends = [each.name for group in trigger_groups(flow) for each in group.triggers if each.kind == RUN]
    if ends:
        found = [".".join(filter(None, (d.project, d.branch, d.flow))) for d in deployed(client, crons=())]
        for end in sorted({*ends} - {event_name(each, "end") for each in found}):
            yield f"No flow with the end {end} is deployed here yet: is the name right?"


command = create
