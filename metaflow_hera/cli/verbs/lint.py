"""Checking a flow without running it: `mfhera lint`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from metaflow_hera.choices import verbs
from metaflow_hera.choices.deployment import CreateOptions
from metaflow_hera.cli.click_options import as_json, metaflow_options, shared
from metaflow_hera.cli.completing import complete_flow
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.words import json_text, say_where

if TYPE_CHECKING:
    from metaflow_hera.operations.deployment import Prepared


@click.command(cls=Verb, examples=("mfhera lint flow.py", "mfhera lint flow.py --argo-version 3.6.19"))
@click.argument("flow", metavar="FLOW.py", shell_complete=complete_flow)
@metaflow_options
@shared(verbs.NAME)
@shared(verbs.CREATE)
@shared(verbs.LINT)
@as_json
def lint(flow: str, top_level: list[str], argo_version: str | None, as_json: bool, **given: Any) -> None:
    """Check FLOW.py without running or deploying it.

    With ARGO_SERVER set, Argo's server checks it too.
    """
    from metaflow_hera.metaflow_api.load.flows import load_flow
    from metaflow_hera.operations.deployment import prepare

    check(prepare(load_flow(flow, top_level), CreateOptions(**given)), as_json, argo_version)


def check(prepared: Prepared, as_json: bool, argo_version: str | None = None) -> None:
    """Check what would be deployed, and report it."""
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.target import configured_target
    from metaflow_hera.operations import lint

    target = configured_target()
    if target is not None:
        say_where(target)
    client = ArgoClient(target) if target is not None else None
    found = lint.lint(prepared, target, client, argo_version)
    if as_json:
        click.echo(json_text({"name": prepared.name, **asdict(found)}))
        return
    for warning in found.warnings:
        click.echo(warning)
    click.echo(f"{click.style(prepared.flow.name, bold=True)} is fine: {', '.join(found.checked)}.")
    click.echo(f"create would deploy {', '.join(found.objects)}.")


command = lint
