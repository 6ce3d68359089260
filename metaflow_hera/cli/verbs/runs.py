"""The runs of a deployment: `mfhera runs`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import islice
from typing import TYPE_CHECKING

import click

from metaflow_hera.cli.choosing import chosen_deployment, client_at
from metaflow_hera.cli.click_options import as_json, deployment_options
from metaflow_hera.cli.completing import complete_deployment, complete_flow
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.words import json_text
from metaflow_hera.display.times import local_time, time_since, took
from metaflow_hera.errors import OptionError

if TYPE_CHECKING:
    from metaflow_hera.argo.last import LastDeployment
    from metaflow_hera.argo.run import Run

PHASES = ("Pending", "Running", "Succeeded", "Failed", "Error")
"""Argo's words for the state of a run."""


@click.command(
    "runs",
    cls=Verb,
    examples=(
        "mfhera runs",
        "mfhera runs flow.py --since 1d --state failed,error",
    ),
)
@click.argument("flow", metavar="[FLOW.py]", required=False, shell_complete=complete_flow)
@deployment_options
@click.option(
    "--name",
    metavar="NAME",
    help="Name of the deployment.",
    shell_complete=complete_deployment,
)
@click.option("--all", "everything", is_flag=True, help="The runs of all deployments.")
@click.option("--since", metavar="TIME", help="Only runs since then: 30m, 2h, 3d, 1w ago, or 2026-11-01.")
@click.option(
    "--state",
    metavar="STATES",
    help="Only runs in these states, such as failed,error or running.",
    shell_complete=lambda _context, _option, begun: _states(begun),
)
@click.option("--version", type=int, metavar="N", help="Only runs of this version of the deployment.")
@click.option("--archived", is_flag=True, help="Only the runs in Argo's archive of workflows.")
@click.option("--limit", type=int, metavar="N", help="Only the N newest.")
@as_json
def list_runs(
    flow: str | None,
    top_level: list[str],
    name: str | None,
    everything: bool,
    since: str | None,
    state: str | None,
    version: int | None,
    archived: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """List the runs of a deployment, the newest first.

    Without FLOW.py, it is the flow last deployed or started from this folder.
    """
    if everything and (flow is not None or name is not None):
        raise OptionError("--all lists the runs of all deployments: leave out FLOW.py and --name.")
    if everything and version is not None:
        raise OptionError("--version is that of one deployment: leave out --all.")
    choice = replace(RunChoice.parse(since, state, limit), version=version, archived=archived)
    deployment: str | None = None
    last: LastDeployment | None = None
    if not everything:
        deployment, last = chosen_deployment(flow, top_level, name)
    show_runs(deployment, as_json, last, choice)


def _states(begun: str) -> list[str]:
    """How a list of states may go on."""
    before, comma, word = begun.rpartition(",")
    words = [phase.lower() for phase in PHASES]
    return [f"{before}{comma}{each}" for each in words if each.startswith(word)]


@dataclass(frozen=True)
class RunChoice:
    """Which runs to show: those since a time, in some states (empty: in any), at most `limit`.

    With `version` only those of that version, with `archived` only those in Argo's archive.
    """

    since: datetime | None = None
    states: frozenset[str] = frozenset()
    limit: int | None = None
    version: int | None = None
    archived: bool = False

    @classmethod
    def parse(cls, since: str | None, state: str | None, limit: int | None) -> RunChoice:
        """The choice from the texts of the options. Raises OptionError for a value that is not valid."""
        if limit is not None and not 1 <= limit <= sys.maxsize:
            raise OptionError(f"--limit {limit} is not valid: give 1 or more.")
        states = frozenset(word.strip().capitalize() for word in (state or "").split(",") if word.strip())
        unknown = sorted(states - set(PHASES)) or ([repr(state)] if state is not None and not states else [])
        if unknown:
            known = ", ".join(phase.lower() for phase in PHASES)
            raise OptionError(f"--state {unknown[0].lower()} is not valid: choose from {known}.")
        moment = None if since is None else time_since(since, datetime.now().astimezone())
        if since is not None and moment is None:
            raise OptionError(
                f"--since {since!r} is not a time: "
                "give how long ago (30m, 2h, 3d, 1w) or a date (2026-11-01, 2026-11-01T08:00)."
            )
        return cls(moment, states, limit)

    def of(self, runs: Iterable[Run]) -> list[Run]:
        """The chosen runs. A run that has not started yet counts as new."""
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
    """Show the runs of a deployment, of all deployments for None, the newest first."""
    from metaflow_hera.argo import deployments, runs
    from metaflow_hera.cli.tables import Table

    client = client_at(start=False, last=last)
    choice = choice or RunChoice()
    found = choice.of(runs.runs(client, deployment, version=choice.version, archived=choice.archived))
    # A deleted deployment may still have runs.
    if deployment is not None and not found:
        deployments.existing(client, deployment)
    if as_json:
        click.echo(json_text([run.as_json(steps=False) for run in found]))
        return
    now = datetime.now(timezone.utc)
    whose = () if deployment else ("DEPLOYMENT",)
    is_chosen = choice.since or choice.states or choice.version is not None
    Table(
        ("RUN", *whose, "VERSION", "STATE", "STARTED", "TOOK"),
        [
            (
                run.run_id,
                *(() if deployment else (run.deployment,)),
                f"{run.version or '-'}{', new code' if run.new_code else ''}",
                f"{run.phase}, suspended" if run.suspended and not run.ended else run.phase,
                local_time(run.started_at),
                took(run.duration(now)),
            )
            for run in found
        ],
        optional=("VERSION", *whose, "TOOK", "STARTED"),
    ).show(
        empty=f"{deployment or client.target} has no {'such ' if is_chosen else ''}runs"
        + (" in Argo's archive." if choice.archived else ": mfhera trigger starts one."),
    )


command = list_runs
