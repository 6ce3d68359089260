"""Continuing a suspended run: `mfhera resume`."""

from __future__ import annotations

import click

from metaflow_hera.choices import verbs
from metaflow_hera.cli.acting import act
from metaflow_hera.cli.choosing import chosen_run
from metaflow_hera.cli.click_options import as_json, shared, the_run
from metaflow_hera.cli.help import Verb


@click.command(cls=Verb, examples=("mfhera resume", "mfhera resume argo-flow-x7k2p"))
@the_run
@shared(verbs.AUTHORIZE)
@as_json
def resume(run: str | None, authorize: str | None, as_json: bool) -> None:
    """Continue a suspended RUN.

    Without RUN, it is the one last started from this folder.
    """
    act(chosen_run(run, changes=True), "resume", authorize, as_json)


command = resume
