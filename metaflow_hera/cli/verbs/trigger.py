"""Starting a run: `mfhera trigger`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaflow_hera.argo.objects import parse_time
from metaflow_hera.choices import verbs
from metaflow_hera.cli.choosing import chosen_flow, client_at
from metaflow_hera.cli.click_options import as_json, deployment_options, shared
from metaflow_hera.cli.completing import complete_deployment, complete_flow, complete_parameter
from metaflow_hera.cli.following import Report, started, tell, write_run_id
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.values import values_given
from metaflow_hera.cli.words import say_note
from metaflow_hera.errors import OptionError

if TYPE_CHECKING:
    from metaflow_hera.argo.last import LastDeployment
    from metaflow_hera.argo.run import Run
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow


@click.command(
    cls=Verb,
    examples=(
        "mfhera trigger --param alpha=0.5 --watch",
        "mfhera trigger flow.py --params-file parameters.json",
    ),
)
@click.argument("flow", metavar="[FLOW.py]", required=False, shell_complete=complete_flow)
@deployment_options
@click.option("--name", metavar="NAME", help="Name of the deployment.", shell_complete=complete_deployment)
@click.option(
    "-p",
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=complete_parameter,
    help="Value of a Parameter; repeatable. For an IncludeFile, its path, with FLOW.py.",
)
@click.option(
    "--params-file",
    type=click.Path(path_type=Path),
    metavar="F.json",
    help="Values of Parameters as a JSON object; --param overrides them.",
)
@shared(verbs.TRIGGER)
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
    """Start a run of a deployed flow.

    Without FLOW.py, it is the flow last deployed or started from this folder.
    """
    given = {**_from_file(params_file), **values_given(params)}
    deployment, last, loaded = chosen_flow(flow, top_level, name)
    if loaded is not None:
        from metaflow_hera.metaflow_api.load.files import with_files

        given = with_files(loaded, given)
    start(Start(deployment, given, tags, run_id_file), Report(hera_watch, hera_wait, as_json), last, loaded)


@dataclass(frozen=True)
class Start:
    """What to start: a deployment, by its name, with values for Parameters, and the run's tags.

    The run's id is written to `run_id_file`, if that is given.
    """

    deployment: str
    given: Mapping[str, Any]
    tags: Sequence[str]
    run_id_file: str | None


def start(
    asked: Start,
    report: Report,
    last: LastDeployment | None = None,
    flow: LoadedFlow | None = None,
    on_start: Callable[[Run], None] | None = None,
) -> None:
    """Start a run of a deployment and report it. If `flow` is given, the deployment must be that flow's.

    `on_start` is called once the run has started.

    Raises RunFailed if it was waited for and has failed.
    """
    from metaflow_hera.argo import deployments, runs
    from metaflow_hera.argo.last import noted, remember_run

    client = client_at(start=True, last=last)
    found = deployments.existing(client, asked.deployment)
    if flow is not None:
        from metaflow_hera.operations.belonging import check_belongs

        check_belongs(found, flow)
        if _is_newer(flow.file, found.deployed_at):
            say_note(f"{flow.file.name} has changed since it was deployed: mfhera create deploys the change.")
    if asked.run_id_file is not None:
        # Now, so that a file that cannot be written is found before the run starts.
        write_run_id(asked.run_id_file, "")
    run = runs.start(client, found, asked.given, asked.tags)
    if asked.run_id_file is not None:
        write_run_id(asked.run_id_file, run.run_id)
    for unnoted in remember_run(run, client.target, noted(found.name, found.flow, client.target)):
        say_note(unnoted)
    if on_start is not None:
        on_start(run)
    if not report.as_json:
        started(run)
    tell(client, run, report)


def _is_newer(script: Path, deployed_at: str | None) -> bool:
    """Whether a script was written after it was deployed."""
    try:
        moment = parse_time(deployed_at)
        return moment is not None and script.stat().st_mtime > moment.timestamp()
    except (OSError, ValueError):  # anyone may have written the annotation
        return False


def _from_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        given = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise OptionError(f"--params-file {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise OptionError(f"--params-file {path} is not JSON: {error}.") from error
    if not isinstance(given, dict):
        raise OptionError(f"--params-file {path} must hold a JSON object of names and values.")
    return given


command = trigger
