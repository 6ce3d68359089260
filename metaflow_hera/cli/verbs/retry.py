"""Continuing a failed run: `mfhera retry`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from metaflow_hera.choices import verbs
from metaflow_hera.cli.choosing import ChosenRun, chosen_run
from metaflow_hera.cli.click_options import as_json, metaflow_options, shared, the_run
from metaflow_hera.cli.completing import complete_flow
from metaflow_hera.cli.following import Report, tell
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.words import say_note
from metaflow_hera.errors import OptionError

if TYPE_CHECKING:
    from metaflow_hera.argo.run import Run
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow


@click.command(
    cls=Verb,
    examples=(
        "mfhera retry",
        "mfhera retry argo-flow-x7k2p --with-new-code flow.py",
    ),
)
@the_run
@click.argument("flow", metavar="[FLOW.py]", required=False, shell_complete=complete_flow)
@metaflow_options
@click.option(
    "--with-new-code", is_flag=True, help="Continue with FLOW.py as it is now; its graph must be the same."
)
@shared(verbs.AUTHORIZE)
@shared(verbs.WATCH)
@as_json
def retry(
    run: str | None,
    flow: str | None,
    top_level: list[str],
    with_new_code: bool,
    authorize: str | None,
    watch: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Continue a failed RUN from where it failed.

    With --with-new-code, the remaining tasks run FLOW.py as it is now; give the options that create was
    given. What the manifest says stays as it was: resources, images, retries. Without RUN, it is the run
    last started from this folder.
    """
    if flow is None and run is not None and run.endswith(".py"):  # no run has such an id
        run, flow = None, run
    if with_new_code and flow is None:
        raise OptionError("--with-new-code needs the code: mfhera retry [RUN] --with-new-code FLOW.py")
    if not with_new_code and (flow is not None or top_level):
        raise OptionError("FLOW.py and Metaflow's options need --with-new-code: add it, or leave them out.")
    loaded = None
    if flow is not None:
        from metaflow_hera.metaflow_api.load.flows import load_flow

        loaded = load_flow(flow, top_level)
    go_on(chosen_run(run, changes=True), authorize, Report(watch, wait, as_json), new_code=loaded)


def go_on(
    chosen: ChosenRun,
    authorize: str | None,
    report: Report,
    *,
    flow: LoadedFlow | None = None,
    new_code: LoadedFlow | None = None,
) -> None:
    """Retry a run and report it.

    If `flow` is given, the run must be one of its runs.

    Raises RunFailed if it was waited for and has failed again.
    """
    from metaflow_hera.operations import control

    client, run = chosen
    before = control.retry(client, run, authorize, flow, new_code, say_note)
    if not report.as_json:
        failed = [f"{step.name} ({step.failed})" for step in before.steps if step.failures]
        what = f" Failed tasks: {', '.join(failed)}." if failed else ""
        code = " with the new code" if new_code is not None else ""
        click.echo(f"Retrying {click.style(before.pathspec, bold=True)}{code}.{what}")
        if new_code is not None and (again := _all_again(before)):
            click.echo(f"All tasks of {again} run again: new code may change their results.")
    now = replace(before, phase="Running", message="", finished_at=None, steps=())
    tell(client, now, report)


def _all_again(run: Run) -> str:
    """The failed steps in a foreach with a pod for each task: all run again when a parameter has changed."""
    return ", ".join(step.name for step in run.steps if step.depth and step.failures and not step.shares_pods)


command = retry
