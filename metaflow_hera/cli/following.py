"""Reports on a run that has just started or continues, until its end if the user asks for that."""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from metaflow_hera.cli.words import json_text, say_note
from metaflow_hera.display.times import took
from metaflow_hera.errors import ArgoError, ConfigurationError, RunFailed

if TYPE_CHECKING:
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.run import Run


@dataclass(frozen=True)
class Report:
    """How to report a run that starts or continues: whether to show it, or wait for it, until it ends."""

    watch: bool
    wait: bool
    as_json: bool


def started(run: Run) -> None:
    """Say that a run has started."""
    click.echo(f"Started {click.style(run.pathspec, bold=True)}.")


def tell(client: ArgoClient, run: Run, report: Report) -> None:
    """Follow a run to its end if that is asked for, and report its state.

    `run` is what is known about it so far: that it has started must not get lost, whatever fails now. Raises
    RunFailed if it has failed.
    """
    from metaflow_hera.argo import runs

    run_id, as_json = run.run_id, report.as_json
    follows = report.watch or report.wait
    try:
        if follows:
            run = _until_end(client, run_id, show=report.watch and not as_json)
        else:
            run = runs.get(client, run_id, steps=as_json)
    except ArgoError as error:
        if as_json:
            click.echo(json_text(run.as_json()))
        if follows:
            raise type(error)(f"{run_id} has started, and cannot be followed: {error}") from error
        say_note(f"{run_id} has started; its state is not known: {error}")
        return
    if not (follows or as_json):
        click.echo(f"Follow it with: mfhera status {run_id} --watch")
    if as_json:
        click.echo(json_text(run.as_json()))
    elif run.succeeded:
        click.echo(f"{run.pathspec} succeeded after {took(run.duration(datetime.now(timezone.utc)))}.")
    if run.ended and not run.succeeded:
        raise RunFailed(run.verdict)


def _until_end(client: ArgoClient, run_id: str, *, show: bool) -> Run:
    from metaflow_hera.argo import runs
    from metaflow_hera.argo.following import follow

    try:
        if show:
            from metaflow_hera.cli import showing

            return showing.watch(follow(client, run_id, steps=True, note=say_note))
        if sys.stderr.isatty():
            click.echo("Waiting for its end; --watch would show its steps.", err=True)
        deque(follow(client, run_id, steps=False, note=say_note), maxlen=0)
    except KeyboardInterrupt:
        click.echo(f"\nThe run goes on: mfhera status {run_id} --watch shows it.", err=True)
        raise
    return runs.get(client, run_id)


def write_run_id(path: str, text: str) -> None:
    """Write a run's id to a file. Raises ConfigurationError if that fails."""
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from error
