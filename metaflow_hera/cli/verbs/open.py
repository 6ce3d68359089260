"""A run or a deployment in the browser: `mfhera open`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from metaflow_hera.cli.browser import open_address, show_page
from metaflow_hera.cli.choosing import chosen_deployment, client_at
from metaflow_hera.cli.click_options import deployment_options
from metaflow_hera.cli.completing import complete_deployment, complete_flow, complete_run
from metaflow_hera.cli.help import Verb
from metaflow_hera.errors import OptionError

if TYPE_CHECKING:
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.last import LastDeployment, LastRun


@click.command(
    "open",
    cls=Verb,
    examples=(
        "mfhera open argo-flow-x7k2p",
        "mfhera open flow.py",
    ),
)
@click.argument(
    "what",
    metavar="[RUN|FLOW.py]",
    required=False,
    shell_complete=lambda *about: [*complete_flow(*about), *complete_run(*about)],
)
@deployment_options
@click.option("--name", metavar="NAME", help="Name of a deployment.", shell_complete=complete_deployment)
def open_in_browser(what: str | None, top_level: list[str], name: str | None) -> None:
    """Open RUN, or the deployment of FLOW.py, in the browser.

    On the embedded Argo this is its page, on a cluster Argo's UI. Without RUN, it is the run last started
    from this folder, or the flow last deployed from it.
    """
    from metaflow_hera.argo.last import recall_run

    if what is not None and not what.endswith(".py"):
        if name is not None:
            raise OptionError("--name names a deployment: leave out the run, or the name.")
        show_run(what)
    elif what is None and name is None and (run := recall_run()) is not None:
        show_run(run.run_id, run)
    else:
        show_deployment(*chosen_deployment(what, top_level, name))


def show_run(run: str, last: LastRun | None = None) -> None:
    """Open a run in the browser, and print its address, also in Metaflow's UI if one is configured."""
    from metaflow_hera.argo import runs
    from metaflow_hera.metaflow_api.light.configuration import setting

    client = client_at(start=False, last=last)
    found = runs.get(client, run, steps=False)
    if ui := setting("UI_URL"):
        click.echo(f"Metaflow UI: {str(ui).rstrip('/')}/{found.pathspec}")
    if client.target.embedded:
        _open_page(f"runs/{client.target.namespace}/{found.workflow}")
    else:
        _open_argo(client, f"workflows/{client.target.namespace}/{found.workflow}?uid={found.uid}")


def show_deployment(deployment: str, last: LastDeployment | None = None) -> None:
    """Open a deployment in the browser, and print its address."""
    from metaflow_hera.argo import deployments

    client = client_at(start=False, last=last)
    deployments.existing(client, deployment)
    if client.target.embedded:
        _open_page(f"deployments/{client.target.namespace}/{deployment}")
    else:
        _open_argo(client, f"workflow-templates/{client.target.namespace}/{deployment}")


def _open_page(place: str) -> None:
    from metaflow_hera.home import embedded_errors

    with embedded_errors():
        show_page(place)


def _open_argo(client: ArgoClient, place: str) -> None:
    """Open a place of the UI that Argo's server has, or of the one that Metaflow is configured with."""
    from metaflow_hera.metaflow_api.light.configuration import setting

    base = str(setting("ARGO_WORKFLOWS_UI_URL") or client.target.host).rstrip("/")
    click.echo(f"Argo UI: {base}/{place}")
    if not open_address(f"{base}/{place}"):
        click.echo("There is no browser here: open this address in one.", err=True)


command = open_in_browser
