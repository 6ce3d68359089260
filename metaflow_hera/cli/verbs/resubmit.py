"""Starting a run once more: `mfhera resubmit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from metaflow_hera.choices import verbs
from metaflow_hera.cli.choosing import ChosenRun, chosen_run
from metaflow_hera.cli.click_options import as_json, shared, the_run
from metaflow_hera.cli.following import Report, started, tell, write_run_id
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.words import say_note

if TYPE_CHECKING:
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow


@click.command(cls=Verb, examples=("mfhera resubmit --watch", "mfhera resubmit argo-flow-x7k2p"))
@the_run
@shared(verbs.AUTHORIZE)
@shared(verbs.RUN_ID_FILE)
@shared(verbs.WATCH)
@as_json
def resubmit(
    run: str | None, authorize: str | None, run_id_file: str | None, watch: bool, wait: bool, as_json: bool
) -> None:
    """Start a new run with the parameters of RUN.

    It runs the version that is deployed now. Without RUN, it is the one last started from this folder.
    """
    start_again(chosen_run(run, changes=True), authorize, run_id_file, Report(watch, wait, as_json))


def start_again(
    chosen: ChosenRun,
    authorize: str | None,
    run_id_file: str | None,
    report: Report,
    flow: LoadedFlow | None = None,
) -> None:
    """Resubmit a run and report the new one.

    If `flow` is given, the run must be one of its runs.

    Raises RunFailed if the new run was waited for and has failed.
    """
    from metaflow_hera.argo.last import remember_run
    from metaflow_hera.operations import control

    client, run = chosen
    if run_id_file is not None:
        write_run_id(run_id_file, "")
    made = control.resubmit(client, run, authorize, flow)
    if run_id_file is not None:
        write_run_id(run_id_file, made.run_id)
    for unnoted in remember_run(made, client.target):
        say_note(unnoted)
    if not report.as_json:
        started(made)
    tell(client, made, report)


command = resubmit
