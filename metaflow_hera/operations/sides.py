"""The two sides of a comparison: the objects of a version, and its code package from the datastore."""

from __future__ import annotations

import tarfile
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from metaflow_hera.argo.packages import package_url, stored_package
from metaflow_hera.comparison.comparing import compare
from metaflow_hera.comparison.records import Difference
from metaflow_hera.comparison.states import NOTHING, State, template_in
from metaflow_hera.contract.objects import JSON
from metaflow_hera.metaflow_api.light.code_packages import Package, read_package
from metaflow_hera.metaflow_api.read.stored_files import Unreadable, fetch
from metaflow_hera.operations.plan import Plan

SECONDS = 60.0
"""How long a datastore has to hand over a code package."""
NO_PACKAGE = (OSError, EOFError, tarfile.TarError, zlib.error)


def state_of(objects: Sequence[JSON], known: Mapping[str, Package | None] | None = None) -> State:
    """A version by its objects, of which there may be none.

    Its code package is fetched, unless its URL is `known`, with None for one that cannot be read.
    """
    template = template_in(objects)
    if template is None:
        return NOTHING
    place = stored_package(template)
    if place is None:
        note = "The code is not compared: its template does not say where its code package is."
        return State(objects, None, note)
    if known and place.url in known:
        return State(objects, known[place.url])
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


def sides(plan: Plan) -> tuple[list[JSON], list[JSON]]:
    """The objects of a deployment before and after a plan.

    The plan knows which labels and annotations are others', and stay.
    """
    old = [change.before | {"kind": change.kind} for change in plan.changes if change.before is not None]
    new = [change.after | {"kind": change.kind} for change in plan.changes if change.after is not None]
    return old, new


def changed_by(plan: Plan) -> Difference:
    """What a plan changes of a deployment: its objects, and the code that they have the pods fetch."""
    old, new = sides(plan)
    before = state_of(old)
    url = None if before.template is None else package_url(before.template)
    known = {} if url is None else {url: before.package}
    return compare(plan.deployment, before, state_of(new, known))
