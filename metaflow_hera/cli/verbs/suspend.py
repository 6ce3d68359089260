"""Suspending a run: `mfhera suspend`."""

from __future__ import annotations

import click

from metaflow_hera.choices import verbs
from metaflow_hera.cli.acting import act
from metaflow_hera.cli.choosing import chosen_run
from metaflow_hera.cli.click_options import as_json, shared, the_run
from metaflow_hera.cli.help import Verb


@click.command(cls=Verb, examples=("mfhera suspend", "mfhera suspend argo-flow-x7k2p"))
@the_run
@shared(verbs.AUTHORIZE)
@as_json
def suspend(run: str | None, authorize: str | None, as_json: bool) -> None:
    """Start no more tasks of RUN until it is resumed.

    Running tasks go on to their end.

    Without RUN, it is the one last started from this folder.
    """
    act(chosen_run(run, changes=True), "suspend", authorize, as_json)


command = suspend
