"""The verbs about deployments: create, delete, list."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaflow_hera import options
from metaflow_hera.cli.options import as_json, metaflow_options, shared
from metaflow_hera.cli.words import json_text, say_where
from metaflow_hera.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from metaflow_hera.deployment import Created, Prepared


@click.command()
@click.argument("flow", metavar="FLOW.py")
@metaflow_options
@click.option("--name", metavar="NAME", help="Name of the deployment, in place of the flow's.")
@shared(options.CREATE)
@shared(options.EXPORT)
@as_json
def create(
    flow: str,
    top_level: list[str],
    only_json: bool,
    only_yaml: bool,
    only_python: bool,
    output: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Translate FLOW.py and deploy it: the version that is in production from now on."""
    form = export_form(only_json, only_yaml, only_python, output)
    from metaflow_hera import deployment
    from metaflow_hera.metaflow_api.flows import load_flow

    settings = deployment.CreateOptions(**given)
    prepared = deployment.prepare(load_flow(flow, top_level), settings)
    if form is not None:
        write_export(prepared, form, output)
    else:
        deploy(prepared, f"mfhera create {shlex.quote(flow)}", "mfhera trigger", as_json)


def export_form(only_json: bool, only_yaml: bool, only_python: bool, output: str | None) -> str | None:
    """The form in which to write the objects in place of deploying them: json, yaml, python or None.

    Raises UsageError for options that do not go together.
    """
    asked = {"json": only_json, "yaml": only_yaml, "python": only_python}
    forms = [form for form, is_asked in asked.items() if is_asked]
    if len(forms) > 1:
        raise UsageError(f"--only-{forms[0]} and --only-{forms[1]} do not go together: choose one.")
    if output is not None and not forms:
        raise UsageError("--output goes with --only-json, --only-yaml or --only-python.")
    return forms[0] if forms else None


def deploy(prepared: Prepared, again: str, trigger: str, as_json: bool) -> Created:
    """Deploy a flow and tell of it; `again` is the command to deploy it again, `trigger` that to run it."""
    from metaflow_hera import deployment
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.target import resolve_target

    target = resolve_target(start=True)
    say_where(target)
    created = deployment.create(prepared, ArgoClient(target))
    if as_json:
        about = {
            "name": created.name,
            "flow": created.flow,
            "namespace": f"production:{created.token}",
            "server": target.host,
            "schedules": _schedules(created),
            "footprint": asdict(created.objects.footprint),
        }
        click.echo(json_text(about))
        return created
    click.echo(f"Deployed {click.style(created.flow, bold=True)} as {created.name}.")
    click.echo(
        f"Results are in the namespace production:{created.token}"
        + (", a new one:" if created.token_is_new else ":")
    )
    click.echo(f'    namespace("production:{created.token}")')
    if created.token_is_new:
        click.echo(f"Others may deploy it with: {again} --authorize {created.token}")
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
    click.echo(f"Start a run with: {trigger}")
    return created


def _schedules(created: Created) -> list[str]:
    cron = created.objects.cron
    if cron is None:
        return []
    zone = cron.timezone or "UTC"
    return [f"{expression} ({zone})" for expression in cron.schedules or ()]


def write_export(prepared: Prepared, form: str, output: str | None) -> Created:
    """Write what would be deployed to a file, or to stdout."""
    from metaflow_hera import deployment
    from metaflow_hera.argo.target import configured_target
    from metaflow_hera.translation import writing

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
    text = write(made.objects.objects).rstrip("\n") + "\n"
    if output is None:
        click.echo(text, nl=False)
        return made
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {output}.", err=True)
    return made


@click.command()
@click.argument("flow", metavar="[FLOW.py]", required=False)
@metaflow_options
@click.option("--name", metavar="NAME", help="The deployment by its own name; FLOW.py is not needed then.")
@shared(options.AUTHORIZE)
def delete(flow: str | None, top_level: list[str], name: str | None, authorize: str | None) -> None:
    """Remove the deployment of FLOW.py and all that create made. Runs and results stay."""
    from metaflow_hera.deployment import name_of
    from metaflow_hera.metaflow_api.flows import load_flow

    if flow is not None:
        name = name_of(load_flow(flow, top_level), name)
    elif name is None:
        raise UsageError("Say what to delete: FLOW.py, or --name with the name of a deployment.")
    remove(name, authorize)


def remove(name: str, authorize: str | None) -> None:
    """Remove a deployment and tell of it."""
    from metaflow_hera import deployment
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.target import resolve_target

    target = resolve_target(start=False)
    say_where(target)
    for removed in deployment.remove(ArgoClient(target), name, authorize):
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
