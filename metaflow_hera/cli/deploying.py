"""The verbs about deployments: create, delete, list."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaflow_hera.choices import options
from metaflow_hera.cli.completing import complete_deployment, complete_flow, complete_run
from metaflow_hera.cli.options import as_json, metaflow_options, shared
from metaflow_hera.cli.words import json_text, say_where
from metaflow_hera.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow
    from metaflow_hera.operations.deployment import Created, Prepared


@click.command()
@click.argument("flow", metavar="[FLOW.py]", required=False, shell_complete=complete_flow)
@metaflow_options
@click.option("--name", metavar="NAME", help="Name of the deployment, in place of the flow's.")
@click.option("--from", "source", metavar="FILE", help="Deploy what --only-yaml or --only-json wrote there.")
@shared(options.CREATE)
@shared(options.EXPORT)
@as_json
def create(
    flow: str | None,
    top_level: list[str],
    source: str | None,
    only_json: bool,
    only_yaml: bool,
    only_python: bool,
    output: str | None,
    dry_run: bool,
    real_token: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Translate FLOW.py and deploy it: the version that is in production from now on."""
    form = export_form(only_json, only_yaml, only_python, output, real_token)
    if (flow is None) == (source is None):
        raise UsageError("Say what to deploy: FLOW.py, or --from with a file that --only-yaml wrote.")
    if source is not None:
        _refuse_beside_from(form is not None or dry_run, top_level, given)
        deploy_from(source, given["authorize"], as_json)
        return
    from metaflow_hera.metaflow_api.load.flows import load_flow
    from metaflow_hera.operations import deployment

    settings = deployment.CreateOptions(**given)
    prepared = deployment.prepare(load_flow(str(flow), top_level), settings)
    if form is not None:
        write_export(prepared, form, output, real_token)
    elif dry_run:
        check(prepared, as_json)
    else:
        deploy(prepared, f"mfhera create {shlex.quote(str(flow))}", "mfhera trigger", as_json)


def _refuse_beside_from(form: bool, top_level: list[str], given: Mapping[str, Any]) -> None:
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    asked = [name for name in given if name != "authorize" and context.get_parameter_source(name) != default]
    if form or top_level or asked:
        raise UsageError(
            "With --from everything is in the file: no option but --authorize and --json goes with it."
        )


def deploy_from(source: str, authorize: str | None, as_json: bool) -> None:
    """Deploy an export, from a file or a folder of them, and tell of it."""
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.target import resolve_target
    from metaflow_hera.operations.exports import create_from
    from metaflow_hera.translation import writing

    path = Path(source)
    files = sorted(each for each in path.iterdir() if each.suffix in EXPORTED) if path.is_dir() else [path]
    objects = []
    for file in files:
        try:
            objects += writing.read(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} cannot be read: {error}.") from error
        except UsageError as error:
            raise UsageError(f"{file}: {error}") from error
    target = resolve_target(start=True)
    say_where(target)
    about = create_from(objects, ArgoClient(target), authorize)
    if as_json:
        click.echo(json_text({"name": about.name, "flow": about.flow, "server": target.host}))
        return
    click.echo(f"Deployed {click.style(about.flow, bold=True)} as {about.name}, from {source}.")


EXPORTED = (".yaml", ".yml", ".json")


def export_form(
    only_json: bool, only_yaml: bool, only_python: bool, output: str | None, real_token: bool
) -> str | None:
    """The form in which to write the objects in place of deploying them: json, yaml, python or None.

    Raises UsageError for options that do not go together.
    """
    asked = {"json": only_json, "yaml": only_yaml, "python": only_python}
    forms = [form for form, is_asked in asked.items() if is_asked]
    if len(forms) > 1:
        raise UsageError(f"--only-{forms[0]} and --only-{forms[1]} do not go together: choose one.")
    for option, is_given in (("--output", output is not None), ("--real-token", real_token)):
        if is_given and not forms:
            raise UsageError(f"{option} goes with --only-json, --only-yaml or --only-python.")
    return forms[0] if forms else None


def deploy(prepared: Prepared, again: str, trigger: str, as_json: bool) -> Created:
    """Deploy a flow and tell of it; `again` is the command to deploy it again, `trigger` that to run it."""
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.target import resolve_target
    from metaflow_hera.operations import deployment

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
    for sentence in starts(prepared.flow):
        click.echo(sentence)
    for warning in () if target.embedded else created.objects.footprint.warnings():
        click.echo(warning)
    if prepared.flow.metadata == "local" and not target.embedded:
        click.echo(
            "The metadata of its runs stays in the cluster's pods: deploy with --metadata=service to read "
            "results with Metaflow's Client API."
        )
    click.echo(f"Start a run with: {trigger}")
    return created


def _schedules(created: Created) -> list[str]:
    return [
        f"{expression} ({cron.timezone})"
        for cron in created.objects.crons
        for expression in cron.schedules or ()
    ]


def starts(flow: LoadedFlow) -> Iterator[str]:
    """Sentences that tell on which events a flow is started."""
    from metaflow_hera.metaflow_api.load.triggers import trigger_groups

    groups = trigger_groups(flow)
    words = []
    for group in groups:
        names = [trigger.name for trigger in group.triggers]
        words.append((" or " if group.any_of else " and ").join(names))
    if words:
        several = len(groups) > 1 or len(groups[0].triggers) > 1
        yield f"It is started by the {'events' if several else 'event'} {', and '.join(words)}."
    own = f"metaflow.{flow.project.get('project_flow_name', flow.name)}.end"
    if any(trigger.name == own for group in groups for trigger in group.triggers):
        yield "Its own end starts it again: once it has begun it goes on until it fails, or is deleted."


def write_export(prepared: Prepared, form: str, output: str | None, real_token: bool) -> Created:
    """Write what would be deployed to a file, to a folder with a file for each object, or to stdout."""
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.target import configured_target, resolve_target
    from metaflow_hera.operations import deployment
    from metaflow_hera.translation import writing

    target = configured_target()
    client = ArgoClient(resolve_target(start=False)) if real_token else None
    made = deployment.export(prepared, target, client)
    if target is None:
        click.echo(
            "Written for the embedded Argo, with this machine's Python and folders; set ARGO_SERVER to write "
            "what a cluster gets.",
            err=True,
        )
    for warning in made.objects.footprint.warnings():
        click.echo(warning, err=True)
    objects = [writing.as_json(item) for item in made.objects.objects]
    accounts = ", ".join(writing.service_accounts(objects))
    if accounts and target is not None:
        click.echo(f"It needs the service accounts {accounts}.", err=True)
    if output is not None and (output.endswith("/") or Path(output).is_dir()):
        _write_folder(objects, form, Path(output))
        return made
    text = writing.FORMS[form](objects).rstrip("\n") + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        _write(Path(output), text)
    return made


def _write_folder(objects: Sequence[dict[str, Any]], form: str, folder: Path) -> None:
    from metaflow_hera.translation import writing

    if form == "python":
        raise UsageError("--only-python writes one script: name a file with --output.")
    texts = {
        writing.file_name(item, form): writing.FORMS[form]([item]).rstrip("\n") + "\n" for item in objects
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be made: {error.strerror}.") from error
    for name, text in texts.items():
        _write(folder / name, text)
    deployment = objects[0]["metadata"]["name"]
    for path in sorted(folder.iterdir()):
        if path.suffix in EXPORTED and path.name not in texts and writing.belongs_to(path, deployment):
            click.echo(
                f"{path} is of an older version of {deployment}, and no part of this one: delete it.",
                err=True,
            )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {path}.", err=True)


@click.command()
@click.argument("flow", metavar="[FLOW.py]", required=False, shell_complete=complete_flow)
@metaflow_options
@click.option(
    "--name",
    metavar="NAME",
    help="The deployment by its own name; FLOW.py is not needed then.",
    shell_complete=complete_deployment,
)
@click.option(
    "--run",
    metavar="RUN",
    help="Remove this run from Argo, and no deployment; its results stay.",
    shell_complete=complete_run,
)
@shared(options.AUTHORIZE)
@as_json
def delete(
    flow: str | None,
    top_level: list[str],
    name: str | None,
    run: str | None,
    authorize: str | None,
    as_json: bool,
) -> None:
    """Remove the deployment of FLOW.py and all that create made. Runs and results stay."""
    if run is not None:
        if flow is not None or name is not None:
            raise UsageError("--run is for a run alone: leave FLOW.py and --name out.")
        remove_run(run, authorize, as_json)
        return
    from metaflow_hera.metaflow_api.load.flows import load_flow
    from metaflow_hera.operations.deployment import name_of

    loaded = None
    if flow is not None:
        loaded = load_flow(flow, top_level)
        name = name_of(loaded, name)
    elif name is None:
        raise UsageError("Say what to delete: FLOW.py, or --name with the name of a deployment.")
    remove(name, authorize, as_json, loaded)


def remove(name: str, authorize: str | None, as_json: bool = False, flow: LoadedFlow | None = None) -> None:
    """Remove a deployment and tell of it; of `flow`, if it is given, it must be."""
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.target import resolve_target
    from metaflow_hera.operations import deployment

    target = resolve_target(start=False)
    say_where(target)
    removed = deployment.remove(ArgoClient(target), name, authorize, flow)
    if as_json:
        click.echo(json_text({"name": name, "deleted": list(removed)}))
        return
    for each in removed:
        click.echo(f"Deleted the {each}.")


def remove_run(run: str, authorize: str | None, as_json: bool) -> None:
    """Remove a run from Argo and tell of it."""
    from metaflow_hera.cli.choosing import client_at
    from metaflow_hera.operations import control

    removed = control.delete(client_at(start=False, last=None), run, authorize)
    if as_json:
        click.echo(json_text(removed.as_json()))
    else:
        click.echo(f"Deleted {removed.run_id} from Argo; its results stay in the datastore.")


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


@click.command()
@click.argument("flow", metavar="FLOW.py", shell_complete=complete_flow)
@metaflow_options
@click.option("--name", metavar="NAME", help="Name of the deployment, in place of the flow's.")
@shared(options.CREATE)
@as_json
def lint(flow: str, top_level: list[str], as_json: bool, **given: Any) -> None:
    """Check FLOW.py without running it; with ARGO_SERVER set, Argo checks it too."""
    from metaflow_hera.metaflow_api.load.flows import load_flow
    from metaflow_hera.operations.deployment import CreateOptions, prepare

    check(prepare(load_flow(flow, top_level), CreateOptions(**given)), as_json)


def check(prepared: Prepared, as_json: bool) -> None:
    """Check what would be deployed, and tell of it."""
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.target import configured_target
    from metaflow_hera.operations import lint

    target = configured_target()
    if target is not None:
        say_where(target)
    found = lint.lint(prepared, target, ArgoClient(target) if target is not None else None)
    if as_json:
        click.echo(json_text({"name": prepared.name, **asdict(found)}))
        return
    for warning in found.warnings:
        click.echo(warning)
    click.echo(f"{click.style(prepared.flow.name, bold=True)} is fine: {', '.join(found.checked)}.")
    click.echo(f"create would deploy {', '.join(found.objects)}.")


COMMANDS = {"create": create, "delete": delete, "list": list_deployments, "lint": lint}
