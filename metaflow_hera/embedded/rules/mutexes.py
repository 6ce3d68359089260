"""What `synchronization` may say. Argo checks none of it at create; its controller stumbles over it later."""

from __future__ import annotations

from metaflow_hera.embedded.json_object import JSON
from metaflow_hera.embedded.rules.checks import Broken


def check_mutexes(spec: JSON) -> None:
    """Refuse mutexes without a name, and those of templates that the workflow's retries apply to.

    Who waits there has a node of its template's type, which Argo then uses as that of the retries.
    Raises Broken.
    """
    common = spec.get("templateDefaults") or {}
    _check_names(spec, "spec.synchronization")
    _check_names(common, "spec.templateDefaults.synchronization")
    for template in spec.get("templates") or ():
        place = f"templates.{template['name']}.synchronization"
        _check_names(template, place)
        locks, retries = (
            any(holder.get(field) is not None for holder in (template, common))
            for field in ("synchronization", "retryStrategy")
        )
        if locks and not retries and spec.get("retryStrategy") is not None:
            raise Broken(
                f"{place} together with spec.retryStrategy is not implemented by the embedded Argo: give the "
                "template a retryStrategy of its own"
            )


def _check_names(holder: JSON, place: str) -> None:
    for index, mutex in enumerate((holder.get("synchronization") or {}).get("mutexes") or ()):
        if not mutex.get("name"):
            raise Broken(
                f"{place}.mutexes[{index}].name is required: Argo's controller fails at a lock without a name"
            )
