"""How operators want workflows run: their life, their pods' place and names, as Argo's fields."""

from __future__ import annotations

from typing import Any

from hera.workflows.models import PodGC, Toleration, TTLStrategy
from pydantic import ValidationError

from metaflow_hera.choices.choices import Choices, pairs, toleration
from metaflow_hera.contract.manifest import USER_KEYS
from metaflow_hera.errors import UsageError


def operation_fields(choices: Choices) -> dict[str, Any]:
    """The arguments of Hera's WorkflowTemplate for the workflow's life, and for all of its pods."""
    success, failure = choices.ttl_after_success, choices.ttl_after_failure
    ttl = TTLStrategy(seconds_after_success=success, seconds_after_failure=failure)
    return {
        "active_deadline_seconds": choices.workflow_timeout,
        "priority": choices.workflow_priority,
        "ttl_strategy": ttl if (success, failure) != (None, None) else None,
        "pod_gc": PodGC(strategy=choices.pod_gc) if choices.pod_gc else None,
        "archive_logs": choices.archive_logs,
        "pod_priority_class_name": choices.priority_class,
        "service_account_name": choices.service_account,
        "node_selector": pairs("--node-selector", choices.node_selectors) or None,
        "tolerations": [_toleration(text) for text in choices.tolerations] or None,
    }


def labels_of(choices: Choices) -> dict[str, str]:
    """The user's own labels of runs and pods."""
    return pairs("--label", choices.labels)


def annotations_of(choices: Choices) -> dict[str, str]:
    """The user's own annotations of runs and pods."""
    return pairs("--annotation", choices.annotations)


def user_keys(choices: Choices) -> dict[str, str]:
    """The annotation that notes which labels and annotations are the user's own."""
    keys = ",".join([*labels_of(choices), *annotations_of(choices)])
    return {USER_KEYS: keys} if keys else {}


def _toleration(text: str) -> Toleration:
    try:
        return Toleration.model_validate(toleration(text))
    except ValidationError as error:
        raise UsageError(
            f"--toleration {text} is not one that Kubernetes takes: {error.errors()[0]['msg']}."
        ) from error
