"""Runs for times of a schedule that have passed: `mfhera backfill`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from metaflow_hera.choices import verbs
from metaflow_hera.cli.choosing import chosen_flow, client_at
from metaflow_hera.cli.click_options import as_json, deployment_options, shared
from metaflow_hera.cli.completing import complete_deployment, complete_flow
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.values import values_given
from metaflow_hera.cli.words import json_text, say_note
from metaflow_hera.errors import MetaflowHeraError, UsageError

if TYPE_CHECKING:
    from metaflow_hera.argo.last import LastDeployment
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow
    from metaflow_hera.operations.backfill import Backfill, ScheduledRun

MANY = 1000
"""More runs than this are started only if the user has said so."""


@click.command(
    cls=Verb,
    examples=(
        "mfhera backfill flow.py --from 2026-10-01 --to 2026-10-31 --parallel 3",
        "mfhera backfill --from 2026-10-01 --param day={{date}} --dry-run",
    ),
)
@click.argument("flow", metavar="[FLOW.py]", required=False, shell_complete=complete_flow)
@deployment_options
@click.option("--name", metavar="NAME", help="Name of the deployment.", shell_complete=complete_deployment)
@shared(verbs.BACKFILL)
@as_json
def backfill(flow: str | None, top_level: list[str], name: str | None, as_json: bool, **given: Any) -> None:
    """Start the runs that a schedule missed.

    A time that has a run is skipped, whoever started it. If the command is interrupted, the same command
    continues. Each run has its time as current.scheduled_time. Without FLOW.py, it is the flow last deployed
    or started from this folder.
    """
    asked = Asked(**given)
    deployment, last, loaded = chosen_flow(flow, top_level, name)
    make_up(deployment, asked, as_json, last, loaded)


@dataclass(frozen=True)
class Asked:
    """The options of `backfill`, by their names in `choices.verbs`."""

    begin: str
    end: str | None
    cron: str | None
    parallel: int
    newest_first: bool
    params: Sequence[str]
    dry_run: bool
    yes: bool


def make_up(
    deployment: str,
    asked: Asked,
    as_json: bool,
    last: LastDeployment | None = None,
    flow: LoadedFlow | None = None,
) -> list[ScheduledRun]:
    """Start the runs that are missing, and report them. If `flow` is given, the deployment must be its own.

    Raises RunFailed if there is a run that has failed, of these or of earlier ones.
    """
    from metaflow_hera.operations.backfill import check_ended_well, check_parallel

    check_parallel(asked.parallel)
    work = _work(deployment, asked, last, flow)
    if asked.dry_run or not work.times:
        work.look_up()
        _show(work.times, as_json)
        return work.times
    left = sum(each.is_absent for each in work.times)
    if left > MANY and not asked.yes:
        _confirm(left)
    if not as_json:
        click.echo(f"Times with a run: {len(work.times) - left}, without: {left}.")
    with _told_how_to_go_on(work):
        work.carry_out(asked.parallel, (lambda _: None) if as_json else _tell, say_note)
    if as_json:
        _show(work.times, as_json)
    else:
        succeeded = sum(each.ended and not each.failed for each in work.times)
        click.echo(f"{succeeded} of {len(work.times)} runs have succeeded.")
    check_ended_well(work.times)
    return work.times


def _work(deployment: str, asked: Asked, last: LastDeployment | None, flow: LoadedFlow | None) -> Backfill:
    from metaflow_hera.argo import deployments
    from metaflow_hera.operations.backfill import Backfill, Choice, wanted
    from metaflow_hera.operations.firing_times import Span

    given: Mapping[str, Any] = values_given(asked.params)
    client = client_at(start=True, last=last)
    found = deployments.existing(client, deployment)
    if flow is not None:
        from metaflow_hera.metaflow_api.load.files import with_files
        from metaflow_hera.operations.belonging import check_belongs

        check_belongs(found, flow)
        given = with_files(flow, given)
    choice = Choice(Span(asked.begin, asked.end), asked.cron, asked.newest_first)
    return Backfill(client, wanted(client, found, choice, given))


def _confirm(runs: int) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"This would start {runs} runs: add --yes to start them.")
    click.confirm(f"Start {runs} runs?", abort=True, err=True)


def _show(times: list[ScheduledRun], as_json: bool) -> None:
    if as_json:
        click.echo(json_text([each.as_json() for each in times]))
        return
    from metaflow_hera.cli.tables import Table

    Table(
        ("TIME", "RUN", "STATE"),
        [(each.in_zone, each.run_id or "-", each.state) for each in times],
    ).show(
        empty="The schedule has no such time.",
    )


def _tell(each: ScheduledRun) -> None:
    click.echo(f"{each.in_zone}  {each.run_id}  {each.state}")
    sys.stdout.flush()


@contextmanager
def _told_how_to_go_on(work: Backfill) -> Iterator[None]:
    """If the work is interrupted, say what continues and what is left."""
    try:
        yield
    except (KeyboardInterrupt, MetaflowHeraError):
        going = sum(not (each.is_absent or each.ended) for each in work.times)
        left = sum(each.is_absent for each in work.times)
        click.echo("", err=True)
        say_note(
            f"Runs that continue: {going}, times without a run: {left}. The same command continues from here."
        )
        raise


command = backfill
