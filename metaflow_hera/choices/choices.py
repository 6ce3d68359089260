"""What a user can choose of a deployment."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from metaflow_hera.errors import UsageError

SENSOR, BINDING = "sensor", "workflow-event-binding"
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
"""What Kubernetes takes for the key of a label or an annotation."""


@dataclass(frozen=True)
class Choices:
    """What a user can choose of a deployment; see `options.CREATE`.

    None and empty: as Metaflow's configuration says it, else as Argo has it. Times are in seconds. `labels`,
    `annotations`, `node_selectors` and `incident_io_metadata` hold texts `KEY=VALUE`, `tolerations` JSON.

    Raises UsageError for values that cannot be meant.
    """

    max_workers: int = 100
    tags: Sequence[str] = ()
    user_namespace: str | None = None
    workflow_timeout: int | None = None
    workflow_priority: int | None = None
    workflow_title: str | None = None
    workflow_description: str | None = None
    concurrency_policy: str | None = None
    starting_deadline: int | None = None
    successful_history_limit: int | None = None
    failed_history_limit: int | None = None
    events: str | None = None
    auto_emit_argo_events: bool = True
    notify_on_error: bool = False
    notify_on_success: bool = False
    notify_slack_webhook_url: str | None = None
    notify_pager_duty_integration_key: str | None = None
    notify_incident_io_api_key: str | None = None
    incident_io_alert_source_config_id: str | None = None
    incident_io_metadata: Sequence[str] = ()
    ttl_after_success: int | None = None
    ttl_after_failure: int | None = None
    pod_gc: str | None = None
    archive_logs: bool | None = None
    priority_class: str | None = None
    service_account: str | None = None
    node_selectors: Sequence[str] = ()
    tolerations: Sequence[str] = ()
    image_pull_secrets: Sequence[str] = ()
    labels: Sequence[str] = ()
    annotations: Sequence[str] = ()

    def __post_init__(self) -> None:
        for option, value, least in (
            ("--max-workers", self.max_workers, 1),
            ("--workflow-timeout", self.workflow_timeout, 1),
            ("--starting-deadline", self.starting_deadline, 0),
            ("--successful-history-limit", self.successful_history_limit, 0),
            ("--failed-history-limit", self.failed_history_limit, 0),
            ("--ttl-after-success", self.ttl_after_success, 0),
            ("--ttl-after-failure", self.ttl_after_failure, 0),
        ):
            if value is not None and value < least:
                raise UsageError(f"{option} {value} is not possible: give {least} or more.")
        for option, word, words in (
            ("--concurrency-policy", self.concurrency_policy, CONCURRENCY_POLICIES),
            ("--pod-gc", self.pod_gc, POD_GC_STRATEGIES),
            ("--events", self.events, (SENSOR, BINDING)),
        ):
            if word is not None and word not in words:
                raise UsageError(f"{option} {word} is not possible: choose one of {', '.join(words)}.")
        for option, texts in (
            ("--label", self.labels),
            ("--annotation", self.annotations),
            ("--node-selector", self.node_selectors),
        ):
            for key, text in pairs(option, texts).items():
                if not KEY.fullmatch(key):
                    raise UsageError(f"{option} {key}={text}: {key!r} is not a key that Kubernetes takes.")
                if option != "--annotation" and not LABEL_VALUE.fullmatch(text):
                    raise UsageError(
                        f"{option} {key}={text}: a value is to be at most 63 letters, digits, '-', "
                        "'_' and '.'."
                    )
                if "{{" in text:
                    raise UsageError(f"{option} {key}={text}: Argo would take {{{{ for one of its variables.")
        for text in self.tolerations:
            toleration(text)
        pairs("--incident-io-metadata", self.incident_io_metadata)

    def check_notifications(self) -> None:
        """Raise UsageError where it is not said whom to notify, or when."""
        places = (
            self.notify_slack_webhook_url,
            self.notify_pager_duty_integration_key,
            self.notify_incident_io_api_key,
        )
        asked = self.notify_on_error or self.notify_on_success
        if asked and not any(places):
            raise UsageError(
                "Say whom to notify: --notify-slack-webhook-url, --notify-pager-duty-integration-key or "
                "--notify-incident-io-api-key."
            )
        if any(places) and not asked:
            raise UsageError("Say when to notify: --notify-on-error, --notify-on-success or both.")
        if self.notify_incident_io_api_key and not self.incident_io_alert_source_config_id:
            raise UsageError("incident.io needs --incident-io-alert-source-config-id as well.")
        url = self.notify_slack_webhook_url
        if url and not re.fullmatch(r"https?://[^/\s]\S*", url):
            raise UsageError("--notify-slack-webhook-url is not an address: it begins with https://.")


@dataclass(frozen=True)
class CreateOptions(Choices):
    """What `create` can be told beside Metaflow's own options; see `options.CREATE`.

    Raises UsageError for values that cannot be meant.
    """

    name: str | None = None
    authorize: str | None = None
    generate_new_token: bool = False
    given_token: str | None = None

    def __post_init__(self) -> None:
        if self.generate_new_token and self.given_token:
            raise UsageError("--generate-new-token and --new-token do not go together: choose one.")
        super().__post_init__()


CONCURRENCY_POLICIES = ("Allow", "Forbid", "Replace")
POD_GC_STRATEGIES = ("OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess")


def pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Texts `KEY=VALUE` as a dictionary. Raises UsageError for others."""
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"{option} {text} is to be KEY=VALUE.")
        found[key] = value
    return found


def toleration(text: str) -> dict[str, object]:
    """A toleration of Kubernetes from its JSON. Raises UsageError for what is none."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not found.keys() <= TOLERATION_KEYS or not _is_tolerated(found):
        raise UsageError(
            f"--toleration {text} is to be JSON with some of {', '.join(sorted(TOLERATION_KEYS))}, such as "
            '\'{"key": "gpu", "operator": "Exists"}\'.'
        )
    return found


TOLERATION_KEYS = {"key", "operator", "value", "effect", "tolerationSeconds"}


def _is_tolerated(found: Mapping[str, object]) -> bool:
    """Whether Kubernetes would take it: its API server checks what Argo's does not."""
    operator, effect = found.get("operator", "Equal"), found.get("effect")
    exists = operator == "Exists"
    return (
        operator in ("Exists", "Equal")
        and effect in (None, "NoSchedule", "PreferNoSchedule", "NoExecute")
        and (exists or bool(found.get("key")))
        and not (exists and found.get("value"))
        and ("tolerationSeconds" not in found or effect == "NoExecute")
    )
