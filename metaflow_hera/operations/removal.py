"""Removing a deployment, without a flow and so without Metaflow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from metaflow_hera.argo import deployments
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.tokens import check_access
from metaflow_hera.metaflow_api.light.users import user
from metaflow_hera.operations import applying
from metaflow_hera.operations.belonging import check_belongs
from metaflow_hera.operations.kinds import KINDS
from metaflow_hera.operations.plan import plan_removal
from metaflow_hera.operations.present import deployed_in, read, with_left_sensor
from metaflow_hera.translation.names import token_prefix

if TYPE_CHECKING:
    from metaflow_hera.metaflow_api.load.flows import LoadedFlow


def remove(
    client: ArgoClient, name: str, authorize: str | None, flow: LoadedFlow | None = None
) -> Sequence[str]:
    """Delete a deployment (of `flow`, if that is given), and return what was deleted.

    Its runs stay. Raises NotFoundError if there is none, NameTakenError if it is another flow's,
    NotYoursError if it is not this user's to delete.
    """
    present = read(client, name)
    found = deployed_in(present)
    if found is None:
        raise deployments.absent(name)
    if flow is not None:
        check_belongs(found, flow)
    check_access(found, token_prefix(found.flow, name, found.project, found.branch), user(), authorize)
    done = applying.remove(client, plan_removal(with_left_sensor(client, present)))
    if not done:  # others were faster
        raise deployments.absent(name)
    return [f"{KINDS[change.kind].words} {change.name}" for change in done]
