"""The verbs about runs: trigger, runs, status, and what is done to a run."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaflow_hera import options
from metaflow_hera.cli.choosing import client_at, known_deployment
from metaflow_hera.cli.options import as_json, metaflow_options, shared
from metaflow_hera.cli.words import json_text
from metaflow_hera.errors import ConfigurationError, RunFailed, UsageError
from metaflow_hera.times import local_time, took

if TYPE_CHECKING:
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.last import LastDeployment
    from metaflow_hera.argo.runs import Run
    from metaflow_hera.metaflow_api.flows import LoadedFlow


@click.command()
@click.argument("flow", metavar="[FLOW.py]", required=False)
@metaflow_options
@click.option("--name", metavar="NAME", help="The deployment by its own name.")
@click.option(
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    help="Value of a Parameter; repeatable. Of an IncludeFile the path, with FLOW.py.",
)
@click.option(
    "--params-file",
    type=click.Path(path_type=Path),
    metavar="F.json",
    help="Values of Parameters as a JSON object; --param goes before it.",
)
@shared(options.TRIGGER)
@as_json
def trigger(
    flow: str | None,
    top_level: list[str],
    name: str | None,
    params: tuple[str, ...],
    params_file: Path | None,
    tags: tuple[str, ...],
    run_id_file: str | None,
    hera_watch: bool,
    hera_wait: bool,
    as_json: bool,
) -> None:
    """Start a run of the deployed version of FLOW.py, by default of the flow last deployed from here."""
    given = {**_from_file(params_file), **_from_options(params)}
    last: LastDeployment | None = None
    if flow is not None:
        from metaflow_hera.deployment import name_of
        from metaflow_hera.metaflow_api.files import with_files
        from metaflow_hera.metaflow_api.flows import load_flow

        loaded = load_flow(flow, top_level)
        deployment, given = name_of(loaded, name), with_files(loaded, given)
    else:
        deployment, last = known_deployment(name)
    start(deployment, given, tags, run_id_file, hera_watch, hera_wait, as_json, last)


def start(
    deployment: str,
    given: Mapping[str, Any],
    tags: Sequence[str],
    run_id_file: str | None,
    watch: bool,
    wait: bool,
    as_json: bool,
    last: LastDeployment | None = None,
    on_start: Callable[[Run], None] | None = None,
) -> None:
    """Start a run of a deployment and tell of it; `on_start` is called once it has started.

    Raises RunFailed if it was waited for and has failed.
    """
    from metaflow_hera.argo import deployments, runs

    if tags:
        from metaflow_hera.metaflow_api.tags import check_tags

        check_tags(tags)
    client = client_at(start=True, last=last)
    found = deployments.find(client, deployment)
    if found is None:
        raise UsageError(f"There is no deployment {deployment} (any more): mfhera create deploys the flow.")
    if run_id_file is not None:
        _write(run_id_file, "")  # a file that cannot be written is better found out before the run starts
    run = runs.start(client, found, given, tags)
    if run_id_file is not None:
        _write(run_id_file, run.run_id)
    if on_start is not None:
        on_start(run)
    if not as_json:
        click.echo(f"Started {click.style(run.pathspec, bold=True)}.")
    if watch or wait:
        run = _until_end(client, run, show=watch and not as_json)
    elif not as_json:
        click.echo(f"Follow it with: mfhera status {run.run_id} --watch")
    if as_json:
        click.echo(json_text(_as_json(run)))
    elif run.succeeded:
        click.echo(f"{run.pathspec} succeeded after {took(run.duration(datetime.now(timezone.utc)))}.")
    if run.ended and not run.succeeded:
        raise RunFailed(run.verdict)


@click.command()
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--watch", is_flag=True, help="Show it until the run ends.")
@as_json
def status(run: str | None, watch: bool, as_json: bool) -> None:
    """The steps of RUN with their states; by default of the last run of the flow last deployed from here."""
    show_status(run, watch, as_json)


def show_status(run: str | None, watch: bool, as_json: bool) -> None:
    """Show a run, by default the last one of the flow last deployed from here."""
    from metaflow_hera.argo import runs

    deployment, last = known_deployment(None) if run is None else ("", None)
    client = client_at(start=False, last=last)
    if run is None:
        latest = next(runs.runs(client, deployment), None)
        if latest is None:
            raise UsageError(f"{deployment} has no runs: mfhera trigger starts one.")
        run = latest.run_id
    if watch and not as_json:
        from metaflow_hera.cli import tables

        tables.watch(runs.follow(client, run, steps=True))
        return
    if watch:
        deque(runs.follow(client, run, steps=False), maxlen=0)
    current = runs.get(client, run)
    if as_json:
        click.echo(json_text(_as_json(current)))
        return
    from metaflow_hera.cli.tables import write_run

    write_run(current)


@click.command("runs")
@click.argument("flow", metavar="[FLOW.py]", required=False)
@metaflow_options
@click.option("--name", metavar="NAME", help="The deployment by its own name.")
@as_json
def list_runs(flow: str | None, top_level: list[str], name: str | None, as_json: bool) -> None:
    """The runs of FLOW.py, the newest first; by default of the flow last deployed from here."""
    if flow is not None:
        from metaflow_hera.deployment import name_of
        from metaflow_hera.metaflow_api.flows import load_flow

        show_runs(name_of(load_flow(flow, top_level), name), as_json)
    else:
        deployment, last = known_deployment(name)
        show_runs(deployment, as_json, last)


def show_runs(deployment: str, as_json: bool, last: LastDeployment | None = None) -> None:
    """Show the runs of a deployment, the newest first."""
    from metaflow_hera.argo import runs
    from metaflow_hera.cli.tables import table

    client = client_at(start=False, last=last)
    found = list(runs.runs(client, deployment))
    if as_json:
        click.echo(json_text([_as_json(run) for run in found]))
        return
    now = datetime.now(timezone.utc)
    table(
        ("RUN", "STATE", "STARTED", "TOOK"),
        [(run.run_id, run.phase, local_time(run.started_at), took(run.duration(now))) for run in found],
        empty=f"{deployment} has no runs: mfhera trigger starts one.",
    )


@click.command()
@click.argument("run", metavar="RUN")
@shared(options.AUTHORIZE)
def suspend(run: str, authorize: str | None) -> None:
    """Start no more tasks of RUN until mfhera resume; those that run go on to their end."""
    act(run, "suspend", authorize)


@click.command()
@click.argument("run", metavar="RUN")
@shared(options.AUTHORIZE)
def resume(run: str, authorize: str | None) -> None:
    """Let a suspended RUN go on."""
    act(run, "resume", authorize)


@click.command()
@click.argument("run", metavar="RUN")
@shared(options.AUTHORIZE)
def terminate(run: str, authorize: str | None) -> None:
    """End RUN and its tasks at once."""
    act(run, "terminate", authorize)


DONE = {
    "suspend": "Suspended {run}: tasks that run go on to their end, no others start.",
    "resume": "Resumed {run}.",
    "terminate": "Terminated {run}.",
}


def act(run: str, action: str, authorize: str | None, flow: LoadedFlow | None = None) -> None:
    """Do something to a run and tell of it; of `flow`, if it is given, it must be a run."""
    from metaflow_hera import control

    done = control.act(client_at(start=False, last=None), run, action, authorize, flow)
    click.echo(DONE[action].format(run=done.run_id))


def _until_end(client: ArgoClient, run: Run, *, show: bool) -> Run:
    from metaflow_hera.argo import runs

    try:
        if show:
            from metaflow_hera.cli import tables

            return tables.watch(runs.follow(client, run.run_id, steps=True))
        deque(runs.follow(client, run.run_id, steps=False), maxlen=0)
    except KeyboardInterrupt:
        click.echo(f"\nThe run goes on: mfhera status {run.run_id} --watch shows it.", err=True)
        raise
    return runs.get(client, run.run_id)


def _from_options(params: tuple[str, ...]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for param in params:
        name, equals, value = param.partition("=")
        if not equals or not name:
            raise UsageError(f"--param {param!r} is to be NAME=VALUE.")
        given[name] = value
    return given


def _from_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        given = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"--params-file {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"--params-file {path} is not JSON: {error}.") from error
    if not isinstance(given, dict):
        raise UsageError(f"--params-file {path} is to hold a JSON object of names and values.")
    return given


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from error


def _as_json(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "pathspec": run.pathspec,
        "workflow": run.workflow,
        "flow": run.flow,
        "phase": run.phase,
        "message": run.message,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "steps": [
            {**asdict(step), "phase": step.phase, "tasks": step.tasks, "done": step.done}
            for step in run.steps
        ],
    }


COMMANDS = {
    "trigger": trigger,
    "status": status,
    "runs": list_runs,
    "suspend": suspend,
    "resume": resume,
    "terminate": terminate,
}
