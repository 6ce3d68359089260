"""What `create` would change: `mfhera diff`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from metaflow_hera.choices import verbs
from metaflow_hera.choices.deployment import CreateOptions
from metaflow_hera.cli.choosing import client_at
from metaflow_hera.cli.click_options import as_json, metaflow_options, shared
from metaflow_hera.cli.completing import complete_flow
from metaflow_hera.cli.differences import View, show
from metaflow_hera.cli.exporting import read_export
from metaflow_hera.cli.help import Verb
from metaflow_hera.errors import OptionError

if TYPE_CHECKING:
    from metaflow_hera.comparison.records import Difference
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow


@click.command(
    cls=Verb,
    examples=("mfhera diff flow.py", "mfhera diff flow.py --stat", "mfhera diff flow.py --version 5"),
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

    view = View(given.pop("stat"), given.pop("name_only"), as_json)
    against = Against(given.pop("source"), given.pop("version"))
    return show(compared(load_flow(flow, top_level), CreateOptions(**given), against), view)


@dataclass(frozen=True)
class Against:
    """What a flow is compared with: an export (a file, or a folder of files), a version, or what is live.

    Raises OptionError for more than one.
    """

    source: str | None = None
    version: int | None = None

    def __post_init__(self) -> None:
        if self.source is not None and self.version is not None:
            raise OptionError("--from and --version cannot be used together: choose one.")


def compared(flow: LoadedFlow, options: CreateOptions, against: Against) -> Difference:
    """What differs between a flow and what it is compared with."""
    from metaflow_hera.argo.target import configured_target
    from metaflow_hera.operations.diff import diff, diff_from, diff_version, prepared_to_compare

    objects = None if against.source is None else read_export(against.source)
    with prepared_to_compare(flow, options) as prepared:
        if objects is not None:
            return diff_from(prepared, objects, configured_target())
        if against.version is not None:
            return diff_version(prepared, against.version, client_at(start=False))
        return diff(prepared, client_at(start=False))


command = diff
