"""The versions of Argo Workflows: which are too old, and how a server tells its own."""

from __future__ import annotations

import re

from metaflow_hera.errors import ArgoTooOld

HEADER = "Grpc-Metadata-Argo-Version"
"""The header with the server's version, in each of its answers that is a success (Argo 3.6 and later)."""
OLDEST = (3, 6, 0)
"""The first version in which a CronWorkflow has `schedules`, which an older one drops in silence."""


def numbers(version: str) -> tuple[int, int, int] | None:
    """The numbers of a version such as v3.6.19 or 3.6; None for a text that has none.

    A server that was built without a version (v0.0.0+unknown) has none either.
    """
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?![\d.])", version, re.ASCII)
    if found is None or found[1] == "0":
        return None
    return int(found[1]), int(found[2]), int(found[3] or 0)


def is_before(version: str, first: tuple[int, int, int]) -> bool:
    """Whether a version is older than the first one that can do something; one without numbers is not."""
    found = numbers(version)
    return found is not None and found < first


def check_version(version: str, where: str = "") -> None:
    """Raise ArgoTooOld for a version that is; `where` names its server."""
    if is_before(version, OLDEST):
        what = f"{where} is Argo {version}" if where else f"Argo {version} is too old"
        raise ArgoTooOld(f"{what}: flows need Argo 3.6 or later.")
