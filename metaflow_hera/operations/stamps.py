"""The version that the objects of a deployment are of: written into them, and read again."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from metaflow_hera.argo.deployments import VersionKey
from metaflow_hera.argo.objects import containers_of
from metaflow_hera.contract import environment, manifest
from metaflow_hera.contract.objects import CRON, JSON, TEMPLATE


def stamped(objects: Sequence[JSON], version: VersionKey, time: str) -> list[JSON]:
    """The objects of a deployment as those of a version that is deployed at a time.

    Runs get its number as a label, by which they are found, and pods as a variable. Whatever version the
    objects were of before is gone.
    """
    found = copy.deepcopy(list(objects))
    for item in found:
        notes = item["metadata"].setdefault("annotations", {})
        notes |= {manifest.VERSION: str(version.number), manifest.VERSION_ID: version.id}
        if item["kind"] == TEMPLATE:
            _stamp_template(item, version, time, [each for each in found if each["kind"] == CRON])
    return found


def _stamp_template(template: JSON, version: VersionKey, time: str, crons: Sequence[JSON]) -> None:
    notes, spec = template["metadata"]["annotations"], template["spec"]
    notes[manifest.DEPLOYMENT_TIMESTAMP] = time
    notes.pop(manifest.CRON_WORKFLOWS, None)
    if crons:
        notes[manifest.CRON_WORKFLOWS] = ",".join(cron["metadata"]["name"] for cron in crons)
    number = {manifest.VERSION: str(version.number)}
    metadata = spec.setdefault("workflowMetadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **number}
    for container in containers_of(template):
        env = [each for each in container.get("env") or () if each["name"] != environment.VERSION]
        container["env"] = [*env, {"name": environment.VERSION, "value": str(version.number)}]
