"""What `create` would change: a flow compared with what is deployed, or with an export."""

from __future__ import annotations

import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.target import Target
from metaflow_hera.choices.deployment import CreateOptions
from metaflow_hera.comparison.comparing import compare
from metaflow_hera.comparison.records import Difference
from metaflow_hera.comparison.states import NOTHING, State, package_place, template_in
from metaflow_hera.contract.objects import JSON
from metaflow_hera.errors import UsageError
from metaflow_hera.metaflow_api.light.code_packages import Package, read_package
from metaflow_hera.metaflow_api.load.files import storing_nothing
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.metaflow_api.load.packages import Packing
from metaflow_hera.metaflow_api.read.stored_files import Unreadable, fetch
from metaflow_hera.operations.deployment import Prepared, exported, prepare, preview
from metaflow_hera.operations.exports import exported_deployment
from metaflow_hera.operations.plan import plan_deployment

SECONDS = 60.0
"""How long a datastore has to hand over a code package."""
NO_PACKAGE = (OSError, EOFError, tarfile.TarError, zlib.error)


@contextmanager
def prepared_to_compare(flow: LoadedFlow, options: CreateOptions) -> Iterator[Prepared]:
    """A flow as `create` prepares it, for `diff` and `diff_from`: meanwhile nothing of it is stored.

    Raises what `prepare` does.
    """
    with storing_nothing(), Packing(flow, only_code=True) as packing:
        yield prepare(flow, options, packing)


def diff(prepared: Prepared, client: ArgoClient) -> Difference:
    """What `create` would change at a server. Nothing is stored or written. Raises what `create` refuses."""
    present, wanted = preview(prepared, client)
    changes = plan_deployment(present, wanted).changes
    # The plan knows which labels and annotations are others', and stay.
    old = [change.before | {"kind": change.kind} for change in changes if change.before is not None]
    new = [change.after | {"kind": change.kind} for change in changes if change.after is not None]
    return _compared(prepared, old, new)


def diff_from(prepared: Prepared, objects: Sequence[JSON], target: Target | None) -> Difference:
    """What an export of a flow for a target (None: the embedded Argo) would change of an earlier one.

    Raises UsageError if that is none, or that of another deployment.
    """
    about, flow = exported_deployment(objects), prepared.flow.name
    if (about.flow, about.name) != (flow, prepared.name):
        raise UsageError(
            f"The export is of {about.flow}, deployed as {about.name}, and not of {flow} as {prepared.name}: "
            "name another export, or give the options with which it was written, such as --name."
        )
    return _compared(prepared, objects, exported(prepared, target))


def _compared(prepared: Prepared, old: Sequence[JSON], new: Sequence[JSON]) -> Difference:
    packing, environment = prepared.packing, prepared.flow.environment
    note = f"What --environment={environment} makes for the pods is not compared: it would have to be stored."
    mine = State(new, read_package(BytesIO(packing.blob)), note if packing.lacks_environments else None)
    there = template_in(old)
    if there is None:
        return compare(prepared.name, NOTHING, mine)
    known = {packing.unsaved.url: mine.package}
    return compare(prepared.name, state_of(old, known), mine)


def state_of(objects: Sequence[JSON], known: dict[str, Package | None] | None = None) -> State:
    """A version of a deployment by its objects; its code package is fetched, unless its URL is `known`."""
    template = template_in(objects)
    place = None if template is None else package_place(template)
    if place is None:
        note = "The code is not compared: its template does not say where its code package is."
        return State(objects, None, note)
    if (package := (known or {}).get(place.url)) is not None:
        return State(objects, package)
    try:
        with tempfile.TemporaryDirectory(prefix="mfhera-") as folder:
            archive = Path(folder, "package")
            fetch(place.datastore, place.url, archive, SECONDS)
            with archive.open("rb") as file:
                return State(objects, read_package(file))
    except Unreadable as error:
        why = str(error)
    except NO_PACKAGE:
        why = "is no code package"
    return State(objects, None, f"The code is not compared: the code package {place.url} {why}.")
