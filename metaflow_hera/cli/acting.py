"""The verbs about what is done to a run: suspend, resume, stop, terminate, retry, resubmit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from metaflow_hera.choices import options
from metaflow_hera.cli.choosing import client_at
from metaflow_hera.cli.completing import complete_flow, complete_run
from metaflow_hera.cli.following import started, tell, write_run_id
from metaflow_hera.cli.options import as_json, metaflow_options, shared
from metaflow_hera.cli.words import json_text
from metaflow_hera.errors import UsageError

if TYPE_CHECKING:
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow

the_run = click.argument("run", metavar="RUN", shell_complete=complete_run)


@click.command()
@the_run
@shared(options.AUTHORIZE)
@as_json
def suspend(run: str, authorize: str | None, as_json: bool) -> None:
    """Start no more tasks of RUN until mfhera resume; those that run go on to their end."""
    act(run, "suspend", authorize, as_json)


@click.command()
@the_run
@shared(options.AUTHORIZE)
@as_json
def resume(run: str, authorize: str | None, as_json: bool) -> None:
    """Let a suspended RUN go on."""
    act(run, "resume", authorize, as_json)


@click.command()
@the_run
@shared(options.AUTHORIZE)
@as_json
def stop(run: str, authorize: str | None, as_json: bool) -> None:
    """End RUN and its tasks; its exit hooks and notifications still run."""
    act(run, "stop", authorize, as_json)


@click.command()
@the_run
@shared(options.AUTHORIZE)
@as_json
def terminate(run: str, authorize: str | None, as_json: bool) -> None:
    """End RUN and its tasks at once, without its exit hooks."""
    act(run, "terminate", authorize, as_json)


DONE = {
    "suspend": "Suspended {run}: tasks that run go on to their end, no others start.",
    "resume": "Resumed {run}.",
    "stop": "Stopped {run}: its tasks end, then its exit hooks run.",
    "terminate": "Terminated {run}.",
}


def act(
    run: str, action: str, authorize: str | None, as_json: bool = False, flow: LoadedFlow | None = None
) -> None:
    """Do something to a run and tell of it; of `flow`, if it is given, it must be a run."""
    from metaflow_hera.argo import runs
    from metaflow_hera.operations import control

    client = client_at(start=False, last=None)
    done = control.act(client, run, action, authorize, flow)
    if as_json:
        click.echo(json_text(runs.get(client, done.run_id).as_json()))
    elif action == "suspend" and done.suspended:
        click.echo(f"{done.run_id} is suspended already.")
    else:
        click.echo(DONE[action].format(run=done.run_id))


@click.command()
@the_run
@click.argument("flow", metavar="[FLOW.py]", required=False, shell_complete=complete_flow)
@metaflow_options
@click.option("--with-new-code", is_flag=True, help="Go on with FLOW.py as it is now; its graph is the same.")
@shared(options.AUTHORIZE)
@shared(options.WATCH)
@as_json
def retry(
    run: str,
    flow: str | None,
    top_level: list[str],
    with_new_code: bool,
    authorize: str | None,
    watch: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Let a failed RUN go on from where it failed, with the code that it has, or with new code.

    With --with-new-code FLOW.py is packed as it is now, with the options that create was given, and what
    is still to run runs from that. What the manifest says stays: resources, images, retries.
    """
    if with_new_code and flow is None:
        raise UsageError("--with-new-code needs the code: mfhera retry RUN --with-new-code FLOW.py")
    if not with_new_code and (flow is not None or top_level):
        raise UsageError(
            "FLOW.py and Metaflow's options go with --with-new-code: give that, or leave them out."
        )
    loaded = None
    if flow is not None:
        from metaflow_hera.metaflow_api.load.flows import load_flow

        loaded = load_flow(flow, top_level)
    go_on(run, authorize, watch, wait, as_json, new_code=loaded)


def go_on(
    run: str,
    authorize: str | None,
    watch: bool,
    wait: bool,
    as_json: bool,
    *,
    flow: LoadedFlow | None = None,
    new_code: LoadedFlow | None = None,
) -> None:
    """Retry a run and tell of it; of `flow`, if it is given, it must be a run.

    Raises RunFailed if it was waited for and has failed again.
    """
    from metaflow_hera.operations import control

    client = client_at(start=False, last=None)
    before = control.retry(client, run, authorize, flow, new_code)
    if not as_json:
        failed = [f"{step.name} ({len(step.failures)})" for step in before.steps if step.failures]
        what = f" Failed tasks: {', '.join(failed)}." if failed else ""
        code = " with the new code" if new_code is not None else ""
        click.echo(f"Retrying {click.style(before.pathspec, bold=True)}{code}.{what}")
    tell(client, before.run_id, watch, wait, as_json)


@click.command()
@the_run
@shared(options.AUTHORIZE)
@shared(options.RUN_ID_FILE)
@shared(options.WATCH)
@as_json
def resubmit(
    run: str, authorize: str | None, run_id_file: str | None, watch: bool, wait: bool, as_json: bool
) -> None:
    """Start a new run with the parameters of RUN, of the version that is deployed now."""
    start_again(run, authorize, run_id_file, watch, wait, as_json)


def start_again(
    run: str,
    authorize: str | None,
    run_id_file: str | None,
    watch: bool,
    wait: bool,
    as_json: bool,
    flow: LoadedFlow | None = None,
) -> None:
    """Resubmit a run and tell of the new one; of `flow`, if it is given, it must be a run.

    Raises RunFailed if the new run was waited for and has failed.
    """
    from metaflow_hera.operations import control

    client = client_at(start=False, last=None)
    if run_id_file is not None:
        write_run_id(run_id_file, "")
    made = control.resubmit(client, run, authorize, flow)
    if run_id_file is not None:
        write_run_id(run_id_file, made.run_id)
    if not as_json:
        started(made)
    tell(client, made.run_id, watch, wait, as_json)


COMMANDS = {
    "suspend": suspend,
    "resume": resume,
    "stop": stop,
    "terminate": terminate,
    "retry": retry,
    "resubmit": resubmit,
}
