"""What `create` would change: a flow compared with what is deployed, or with an export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.target import Target
from metaflow_hera.choices.deployment import CreateOptions
from metaflow_hera.comparison.comparing import compare
from metaflow_hera.comparison.records import Difference
from metaflow_hera.comparison.states import State
from metaflow_hera.contract.objects import JSON
from metaflow_hera.errors import UsageError
from metaflow_hera.metaflow_api.light.code_packages import read_package
from metaflow_hera.metaflow_api.load.files import storing_nothing
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.metaflow_api.load.packages import Packing
from metaflow_hera.operations.deployment import Prepared, exported, prepare, preview
from metaflow_hera.operations.exports import exported_deployment
from metaflow_hera.operations.history import deployed_versions, numbered
from metaflow_hera.operations.plan import plan_deployment
from metaflow_hera.operations.present import existing_in
from metaflow_hera.operations.sides import sides, state_of


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
    return _compared(prepared, *sides(plan_deployment(present, wanted)))


def diff_version(prepared: Prepared, number: int, client: ArgoClient) -> Difference:
    """What `create` would change of an earlier version. Nothing is stored or written.

    Raises what `create` refuses, NotFoundError if there is no such version, ConfigurationError if the history
    cannot be read.
    """
    present, wanted = preview(prepared, client)
    about, template = existing_in(present)
    chain = deployed_versions(about, template, client.target)
    return _compared(prepared, numbered(chain, prepared.name, number).objects, wanted)


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
    note = f"The packages of --environment={environment} are not compared: they are made only on create."
    mine = State(new, read_package(BytesIO(packing.blob)), note if packing.lacks_environments else None)
    known = {packing.unsaved.url: mine.package}
    return compare(prepared.name, state_of(old, known), mine)
