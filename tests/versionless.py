"""Objects of a deployment without what says which version they are of: that differs each time."""

from __future__ import annotations

import copy
from typing import Any

from metaflow_hera.contract.environment import VERSION as VARIABLE
from metaflow_hera.contract.manifest import CRON_WORKFLOWS, DEPLOYMENT_TIMESTAMP, VERSION, VERSION_ID

JSON = dict[str, Any]


def without_version(item: JSON) -> JSON:
    """An object as it is in an export."""
    found = copy.deepcopy(item)
    for name in (VERSION, VERSION_ID, DEPLOYMENT_TIMESTAMP, CRON_WORKFLOWS):
        found["metadata"].get("annotations", {}).pop(name, None)
    (found["spec"].get("workflowMetadata") or {}).get("labels", {}).pop(VERSION, None)
    for part in found["spec"].get("templates") or ():
        env = (part.get("container") or {}).get("env")
        if env is not None:
            part["container"]["env"] = [each for each in env if each["name"] != VARIABLE]
    return found
