"""The verbs about runs: trigger, runs, status."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaflow_hera.choices import options
from metaflow_hera.cli.choosing import chosen_run, client_at, known_deployment
from metaflow_hera.cli.completing import complete_deployment, complete_flow, complete_run
from metaflow_hera.cli.following import started, tell, write_run_id
from metaflow_hera.cli.options import as_json, metaflow_options, shared
from metaflow_hera.cli.words import json_text, say_note
from metaflow_hera.display.times import local_time, time_since, took
from metaflow_hera.errors import UsageError

if TYPE_CHECKING:
    from metaflow_hera.argo.last import LastDeployment
    from metaflow_hera.argo.runs import Run
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow


PHASES = ("Pending", "Running", "Succeeded", "Failed", "Error")
"""Argo's words for the state of a run."""


@click.command()
@click.argument("flow", metavar="[FLOW.py]", required=False, shell_complete=complete_flow)
@metaflow_options
@click.option(
    "--name", metavar="NAME", help="The deployment by its own name.", shell_complete=complete_deployment
)
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
    loaded = None
    if flow is not None:
        from metaflow_hera.metaflow_api.load.files import with_files
        from metaflow_hera.metaflow_api.load.flows import load_flow
        from metaflow_hera.operations.deployment import name_of

        loaded = load_flow(flow, top_level)
        deployment, given = name_of(loaded, name), with_files(loaded, given)
    else:
        deployment, last = known_deployment(name)
    start(deployment, given, tags, run_id_file, hera_watch, hera_wait, as_json, last, flow=loaded)


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
    flow: LoadedFlow | None = None,
) -> None:
    """Start a run of a deployment, which must be that of `flow`, if it is given, and tell of it.

    `on_start` is called once it has started.

    Raises RunFailed if it was waited for and has failed.
    """
    from metaflow_hera.argo import deployments, runs

    if tags:
        from metaflow_hera.metaflow_api.load.tags import check_tags

        check_tags(tags)
    client = client_at(start=True, last=last)
    if flow is None:
        found = deployments.find(client, deployment)
    else:
        from metaflow_hera.operations.deployment import found_of

        found = found_of(client, flow, deployment)
    if found is None:
        raise UsageError(f"There is no deployment {deployment} (any more): mfhera create deploys the flow.")
    if run_id_file is not None:
        write_run_id(
            run_id_file, ""
        )  # a file that cannot be written is better found out before the run starts
    run = runs.start(client, found, given, tags)
    if run_id_file is not None:
        write_run_id(run_id_file, run.run_id)
    if on_start is not None:
        on_start(run)
    if not as_json:
        started(run)
    tell(client, run.run_id, watch, wait, as_json)


@click.command()
@click.argument("run", metavar="[RUN]", required=False, shell_complete=complete_run)
@click.option("--watch", is_flag=True, help="Show it until the run ends.")
@as_json
def status(run: str | None, watch: bool, as_json: bool) -> None:
    """The steps of RUN with their states; by default of the last run of the flow last deployed from here."""
    show_status(run, watch, as_json)


def show_status(run: str | None, watch: bool, as_json: bool) -> None:
    """Show a run, by default the last one of the flow last deployed from here."""
    from metaflow_hera.argo import runs

    client, run = chosen_run(run)
    if watch and not as_json:
        from metaflow_hera.cli import tables

        tables.watch(runs.follow(client, run, steps=True, note=say_note))
        return
    if watch:
        deque(runs.follow(client, run, steps=False, note=say_note), maxlen=0)
    current = runs.get(client, run)
    if as_json:
        click.echo(json_text(current.as_json()))
        return
    from metaflow_hera.cli.tables import write_run

    write_run(current)


@click.command("runs")
@click.argument("flow", metavar="[FLOW.py]", required=False, shell_complete=complete_flow)
@metaflow_options
@click.option(
    "--name",
    metavar="NAME",
    help="The deployment by its own name.",
    shell_complete=complete_deployment,
)
@click.option("--all", "everything", is_flag=True, help="The runs of all deployments.")
@click.option("--since", metavar="TIME", help="Only those since then: 30m, 2h, 3d, 1w ago, or 2026-11-01.")
@click.option("--state", metavar="STATES", help="Only those in a state, such as failed,error or running.")
@click.option("--limit", type=int, metavar="N", help="Only the N newest.")
@as_json
def list_runs(
    flow: str | None,
    top_level: list[str],
    name: str | None,
    everything: bool,
    since: str | None,
    state: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """The runs of FLOW.py, the newest first; by default of the flow last deployed from here."""
    if everything and (flow is not None or name is not None):
        raise UsageError("--all is for the runs of all deployments: leave FLOW.py and --name out.")
    choice = RunChoice.parse(since, state, limit)
    deployment: str | None = None
    last: LastDeployment | None = None
    if flow is not None:
        from metaflow_hera.metaflow_api.load.flows import load_flow
        from metaflow_hera.operations.deployment import name_of

        deployment = name_of(load_flow(flow, top_level), name)
    elif not everything:
        deployment, last = known_deployment(name)
    show_runs(deployment, as_json, last, choice)


@dataclass(frozen=True)
class RunChoice:
    """Which runs to show: those since a time, in some states (none: in any), so many at most."""

    since: datetime | None = None
    states: frozenset[str] = frozenset()
    limit: int | None = None

    @classmethod
    def parse(cls, since: str | None, state: str | None, limit: int | None) -> RunChoice:
        """From what is typed. Raises UsageError for what cannot be meant."""
        if limit is not None and not 1 <= limit <= sys.maxsize:
            raise UsageError(f"--limit {limit} is not possible: give 1 or more.")
        states = frozenset(word.strip().capitalize() for word in (state or "").split(",") if word.strip())
        unknown = sorted(states - set(PHASES)) or ([repr(state)] if state is not None and not states else [])
        if unknown:
            known = ", ".join(phase.lower() for phase in PHASES)
            raise UsageError(f"--state {unknown[0].lower()} is not possible: choose of {known}.")
        moment = None if since is None else time_since(since, datetime.now().astimezone())
        if since is not None and moment is None:
            raise UsageError(
                f"--since {since!r} is no time: give how long ago (30m, 2h, 3d, 1w) or a date (2026-11-01, "
                "2026-11-01T08:00)."
            )
        return cls(moment, states, limit)

    def of(self, runs: Iterable[Run]) -> list[Run]:
        """The chosen ones. What has not started yet is as new as can be."""
        found = (
            run
            for run in runs
            if (not self.states or run.phase in self.states)
            and (self.since is None or run.started_at is None or run.started_at >= self.since)
        )
        return list(islice(found, self.limit))


def show_runs(
    deployment: str | None,
    as_json: bool,
    last: LastDeployment | None = None,
    choice: RunChoice | None = None,
) -> None:
    """Show runs of a deployment, or (None) of all, the newest first."""
    from metaflow_hera.argo import deployments, runs
    from metaflow_hera.cli.tables import table

    client = client_at(start=False, last=last)
    found = (choice or RunChoice()).of(runs.runs(client, deployment))
    # What is deleted may have runs still.
    if deployment is not None and not found and deployments.find(client, deployment) is None:
        raise UsageError(f"There is no deployment {deployment}: mfhera list shows those there are.")
    if as_json:
        click.echo(json_text([run.as_json(steps=False) for run in found]))
        return
    now = datetime.now(timezone.utc)
    whose = () if deployment else ("DEPLOYMENT",)
    is_chosen = choice is not None and (choice.since or choice.states)
    table(
        ("RUN", *whose, "STATE", "STARTED", "TOOK"),
        [
            (
                run.run_id,
                *(() if deployment else (run.deployment,)),
                f"{run.phase}, suspended" if run.suspended and not run.ended else run.phase,
                local_time(run.started_at),
                took(run.duration(now)),
            )
            for run in found
        ],
        empty=f"{deployment or client.target} has no {'such ' if is_chosen else ''}runs: mfhera trigger "
        "starts one.",
    )


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


COMMANDS = {"trigger": trigger, "status": status, "runs": list_runs}
