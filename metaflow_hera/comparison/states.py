"""One of two versions of a deployment that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metaflow_hera.contract.objects import JSON, TEMPLATE
from metaflow_hera.metaflow_api.light.code_packages import Package


@dataclass(frozen=True)
class State:
    """A version of a deployment: its objects, and what its code package holds.

    `package` is None where that is not known. `note` is a sentence on what of it is not.
    """

    objects: Sequence[JSON]
    package: Package | None
    note: str | None = None

    @property
    def template(self) -> JSON | None:
        """Its workflow template; None if there is no deployment."""
        return template_in(self.objects)


NOTHING = State((), Package())
"""What is there before a flow is deployed."""


def template_in(objects: Sequence[JSON]) -> JSON | None:
    """The workflow template among the objects of a deployment."""
    return next((item for item in objects if item.get("kind") == TEMPLATE), None)
