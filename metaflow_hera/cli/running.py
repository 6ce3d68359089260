"""The verbs about runs: trigger, runs, status."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaflow_hera.cli.options import as_json, metaflow_options
from metaflow_hera.cli.words import json_text, local_time, say_where, took
from metaflow_hera.errors import ConfigurationError, RunFailed, UsageError

if TYPE_CHECKING:
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.last import LastDeployment
    from metaflow_hera.argo.runs import Run


@click.command()
@click.argument("flow", metavar="[FLOW.py]", required=False)
@metaflow_options
@click.option("--name", metavar="NAME", help="The deployment by its own name.")
@click.option(
    "--param", "params", multiple=True, metavar="NAME=VALUE", help="Value of a Parameter; repeatable."
)
@click.option(
    "--params-file",
    type=click.Path(path_type=Path),
    metavar="F.json",
    help="Values of Parameters as a JSON object; --param goes before it.",
)
@click.option("--run-id-file", type=click.Path(path_type=Path), metavar="F", help="Write the run's id there.")
@click.option("--watch", is_flag=True, help="Show the run until it ends.")
@click.option("--wait", is_flag=True, help="Wait for the end of the run; exit with 1 if it fails.")
@as_json
def trigger(
    flow: str | None,
    top_level: list[str],
    name: str | None,
    params: tuple[str, ...],
    params_file: Path | None,
    run_id_file: Path | None,
    watch: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Start a run of the deployed version of FLOW.py, by default of the flow last deployed from here."""
    given = {**_from_file(params_file), **_from_options(params)}
    from metaflow_hera.argo import deployments, runs
    from metaflow_hera.argo.parameters import checked

    deployment, last = _deployment(flow, top_level, name)
    client = _client(start=True, last=last)
    found = deployments.find(client, deployment)
    if found is None:
        raise UsageError(f"There is no deployment {deployment} (any more): mfhera create deploys the flow.")
    values = checked(given, found.parameters)
    if run_id_file is not None:
        _write(run_id_file, "")  # a file that cannot be written is better found out before the run starts
    run = runs.start(client, found.name, values, {"metaflow/flow_name": found.flow})
    if run_id_file is not None:
        _write(run_id_file, run.run_id)
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
        raise RunFailed(f"{run.pathspec} ended as {run.phase}. {_why(run)}".strip())


@click.command()
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--watch", is_flag=True, help="Show it until the run ends.")
@as_json
def status(run: str | None, watch: bool, as_json: bool) -> None:
    """The steps of RUN with their states; by default of the last run of the flow last deployed from here."""
    from metaflow_hera.argo import runs

    deployment, last = _deployment(None, [], None) if run is None else ("", None)
    client = _client(start=False, last=last)
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
    from metaflow_hera.argo import runs
    from metaflow_hera.cli.tables import table

    deployment, last = _deployment(flow, top_level, name)
    client = _client(start=False, last=last)
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


def _client(*, start: bool, last: LastDeployment | None) -> ArgoClient:
    """The client of the server in use; of a last deployment that is meant it must be the server."""
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.target import resolve_target

    target = resolve_target(start=start)
    say_where(target)
    if last is not None and not last.is_at(target):
        raise UsageError(
            f"{last.flow} was last deployed from this folder to another server ({last.server}): set "
            "ARGO_SERVER as it was then, or name the flow."
        )
    return ArgoClient(target)


def _deployment(
    flow: str | None, top_level: list[str], name: str | None
) -> tuple[str, LastDeployment | None]:
    """The name of the deployment that is meant, and the note of it if it is the last one from this folder."""
    if flow is not None:
        from metaflow_hera.deployment import name_of

        return name_of(flow, top_level, name), None
    if name is not None:
        from metaflow_hera.translate.names import deployment_name

        return deployment_name(name, given=name), None
    from metaflow_hera.argo.last import recall

    last = recall()
    if last is None:
        raise UsageError("Nothing was deployed from this folder yet: mfhera create FLOW.py deploys a flow.")
    return last.name, last


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


def _why(run: Run) -> str:
    """The first reason of a failed run, in words."""
    for step in run.steps:
        for failure in step.failures:
            again = f" after {failure.attempts} attempts" if failure.attempts > 1 else ""
            return (
                f"Step {step.name} (task {step.name}{failure.path}) failed{again}: {failure.message}. Its "
                f"log tells why: python FLOW.py logs {run.run_id}/{step.name}/{step.name}{failure.path}"
            )
    return run.message


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


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
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


COMMANDS = {"trigger": trigger, "status": status, "runs": list_runs}
