"""The verbs about deployments: create, delete, list."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from metaflow_hera.cli.options import as_json, metaflow_options
from metaflow_hera.cli.words import json_text, say_where
from metaflow_hera.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from metaflow_hera.deployment import Created, Prepared


@click.command()
@click.argument("flow", metavar="FLOW.py")
@metaflow_options
@click.option("--name", metavar="NAME", help="Name of the deployment, in place of the flow's.")
@click.option("--tag", "tags", multiple=True, help="Tag for all that its runs make; repeatable.")
@click.option("--namespace", metavar="NAME", help="Namespace to read other flows' results from.")
@click.option(
    "--max-workers",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="How many tasks of a foreach may run at once, for each foreach step.",
)
@click.option(
    "--workflow-timeout", type=click.IntRange(min=1), metavar="SECONDS", help="End a run after that."
)
@click.option("--workflow-priority", type=int, metavar="N", help="Runs of a higher priority go first.")
@click.option(
    "--authorize", metavar="TOKEN", help="The production token of a flow that somebody else deployed."
)
@click.option("--generate-new-token", is_flag=True, help="Begin a new production namespace.")
@click.option("--new-token", metavar="TOKEN", help="Begin the production namespace of this token.")
@click.option(
    "--only-json", "form", flag_value="json", help="Write what would be deployed as JSON; deploy nothing."
)
@click.option("--only-yaml", "form", flag_value="yaml", help="The same as YAML, for kubectl apply.")
@click.option("--only-python", "form", flag_value="python", help="The same as a script for Hera.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write that to a file.")
@as_json
def create(
    flow: str, top_level: list[str], form: str | None, output: Path | None, as_json: bool, **given: object
) -> None:
    """Translate FLOW.py and deploy it: the version that is in production from now on."""
    from metaflow_hera import deployment

    options = deployment.CreateOptions(**given)  # type: ignore[arg-type]  # named as the options above
    if options.generate_new_token and options.new_token:
        raise UsageError("--generate-new-token and --new-token do not go together: choose one.")
    if output is not None and form is None:
        raise UsageError("--output goes with --only-json, --only-yaml or --only-python.")
    prepared = deployment.prepare(flow, top_level, options)
    if form is not None:
        _export(prepared, form, output)
        return
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.target import resolve_target

    target = resolve_target(start=True)
    say_where(target)
    created = deployment.create(prepared, ArgoClient(target))
    if as_json:
        click.echo(
            json_text(
                {
                    "name": created.name,
                    "flow": created.flow,
                    "namespace": f"production:{created.token}",
                    "server": target.host,
                    "schedules": _schedules(created),
                    "footprint": asdict(created.objects.footprint),
                }
            )
        )
        return
    click.echo(f"Deployed {click.style(created.flow, bold=True)} as {created.name}.")
    click.echo(
        f"Results are in the namespace production:{created.token}"
        + (", a new one:" if created.token_is_new else ":")
    )
    click.echo(f'    namespace("production:{created.token}")')
    if created.token_is_new:
        click.echo(
            f"Others may deploy it with: mfhera create {shlex.quote(flow)} --authorize {created.token}"
        )
    for schedule in _schedules(created):
        click.echo(f"It is started by the schedule {schedule}.")
        if target.embedded:
            click.echo("The embedded Argo does not fire schedules yet: start it by hand.")
    for warning in created.objects.footprint.warnings():
        click.echo(warning)
    if prepared.flow.metadata == "local" and not target.embedded:
        click.echo(
            "The metadata of its runs stays in the cluster's pods: deploy with --metadata=service to read "
            "results with Metaflow's Client API."
        )
    click.echo("Start a run with: mfhera trigger")


def _schedules(created: Created) -> list[str]:
    cron = created.objects.cron
    if cron is None:
        return []
    zone = cron.timezone or "UTC"
    return [f"{expression} ({zone})" for expression in cron.schedules or ()]


def _export(prepared: Prepared, form: str, output: Path | None) -> None:
    from metaflow_hera import deployment
    from metaflow_hera.argo.target import configured_target
    from metaflow_hera.translate import writing

    target = configured_target()
    made = deployment.export(prepared, target)
    if target is None:
        click.echo(
            "Written for the embedded Argo, with this machine's Python and folders; set ARGO_SERVER to write "
            "what a cluster gets.",
            err=True,
        )
    for warning in made.objects.footprint.warnings():
        click.echo(warning, err=True)
    write = {"json": writing.to_json, "yaml": writing.to_yaml, "python": writing.to_python}[form]
    text = write(made.objects).rstrip("\n") + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {output}.", err=True)


@click.command()
@click.argument("flow", metavar="[FLOW.py]", required=False)
@metaflow_options
@click.option("--name", metavar="NAME", help="The deployment by its own name; FLOW.py is not needed then.")
@click.option("--authorize", metavar="TOKEN", help="The production token, if somebody else deployed it.")
def delete(flow: str | None, top_level: list[str], name: str | None, authorize: str | None) -> None:
    """Remove the deployment of FLOW.py and all that create made. Runs and results stay."""
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.target import resolve_target
    from metaflow_hera.deployment import name_of, remove

    if flow is None and name is None:
        raise UsageError("Say what to delete: FLOW.py, or --name with the name of a deployment.")
    if flow is not None:
        name = name_of(flow, top_level, name)
    target = resolve_target(start=False)
    say_where(target)
    for removed in remove(ArgoClient(target), str(name), authorize):
        click.echo(f"Deleted the {removed} {name}.")


@click.command("list")
@as_json
def list_deployments(as_json: bool) -> None:
    """The deployed flows: schedule, owner, time of the version."""
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.deployments import deployed
    from metaflow_hera.argo.target import resolve_target
    from metaflow_hera.cli.tables import table

    target = resolve_target(start=False)
    say_where(target)
    found = list(deployed(ArgoClient(target)))
    if as_json:
        click.echo(json_text([asdict(deployment) for deployment in found]))
        return
    table(
        ("NAME", "FLOW", "OWNER", "DEPLOYED", "SCHEDULE"),
        [(d.name, d.flow, d.owner, d.deployed_at or "-", ", ".join(d.schedules) or "-") for d in found],
        empty="Nothing is deployed: mfhera create FLOW.py deploys a flow.",
    )


COMMANDS = {"create": create, "delete": delete, "list": list_deployments}
