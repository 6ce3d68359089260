"""How long a workflow and its nodes will take: as long as the last time.

As in Argo's workflow/controller/estimation.
"""

from __future__ import annotations

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.kubernetes_time import seconds
from metaflow_hera.embedded.labels import CRON_LABEL, TEMPLATE_LABEL
from metaflow_hera.embedded.storage.reader import Reader


def estimates(reader: Reader, workflow: JSON) -> dict[str, int]:
    """The seconds that each node took in the last workflow of the same origin that succeeded.

    The nodes are named without the workflow's name, so that the workflow itself is "". The result is
    empty if there was no such workflow.
    """
    meta = workflow["metadata"]
    labels = meta.get("labels") or {}
    for label in (TEMPLATE_LABEL, CRON_LABEL):
        if label in labels:
            head = reader.last_success(meta["namespace"], label, labels[label])
            if head is not None and head.uid != meta["uid"]:
                return {
                    name.removeprefix(head.name): int(seconds(end) - seconds(start))
                    for name, start, end in reader.spans(head.uid)
                }
    return {}
