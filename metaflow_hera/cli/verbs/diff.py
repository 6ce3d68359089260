"""What `create` would change: `mfhera diff`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from metaflow_hera.choices import verbs
from metaflow_hera.choices.deployment import CreateOptions
from metaflow_hera.cli.choosing import client_at
from metaflow_hera.cli.click_options import as_json, metaflow_options, shared
from metaflow_hera.cli.completing import complete_flow
from metaflow_hera.cli.exporting import read_export
from metaflow_hera.cli.help import Verb
from metaflow_hera.cli.words import json_text
from metaflow_hera.errors import OptionError

if TYPE_CHECKING:
    from metaflow_hera.comparison.records import Difference
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow


@click.command(
    cls=Verb,
    examples=("mfhera diff flow.py", "mfhera diff flow.py --stat", "mfhera diff flow.py --from manifests/"),
)
@click.argument("flow", metavar="FLOW.py", shell_complete=complete_flow)
@metaflow_options
@shared(verbs.NAME)
@shared(verbs.DIFF)
@shared(verbs.CREATE)
@as_json
def diff(flow: str, top_level: list[str], as_json: bool, **given: Any) -> int:
    """Show what create would change.

    It deploys and stores nothing. The exit code is 0 if nothing differs, 1 if something does, 2 for an error.
    """
    from metaflow_hera.metaflow_api.load.flows import load_flow

    how = {name: given.pop(name) for name in ("stat", "name_only", "source")}
    return show_diff(load_flow(flow, top_level), CreateOptions(**given), as_json=as_json, **how)


def show_diff(
    flow: LoadedFlow,
    options: CreateOptions,
    *,
    stat: bool,
    name_only: bool,
    source: str | None,
    as_json: bool,
) -> int:
    """Compare a flow with what is deployed, or with an export; returns the exit code."""
    from metaflow_hera.argo.target import configured_target
    from metaflow_hera.operations.diff import diff, diff_from, prepared_to_compare

    if stat and name_only:
        raise OptionError("--stat and --name-only cannot be used together: choose one.")
    objects = None if source is None else read_export(source)
    with prepared_to_compare(flow, options) as prepared:
        if objects is None:
            found = diff(prepared, client_at(start=False))
        else:
            found = diff_from(prepared, objects, configured_target())
    _write(found, stat, name_only, as_json)
    return 1 if found else 0


def _write(found: Difference, stat: bool, name_only: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json_text({"differs": bool(found), **asdict(found)}))
        return
    from rich.console import Console

    from metaflow_hera.display.differences import difference_lines, names, stat_lines

    if name_only:
        for name in names(found):
            click.echo(name)
        for note in found.notes:
            click.echo(note, err=True)
        return
    console = Console(soft_wrap=True, highlight=False)
    for line in (stat_lines if stat else difference_lines)(found):
        console.print(line)


command = diff
