"""What a deployment's choices are where the command leaves them to the configuration (METAFLOW_HERA_...)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from metaflow_hera.choices.choices import Choices
from metaflow_hera.errors import ConfigurationError

C = TypeVar("C", bound=Choices)


def _number(text: str) -> int:
    return int(text)


def _text(text: str) -> str:
    return text


def _flag(text: str) -> bool:
    words = {"1": True, "true": True, "0": False, "false": False}
    return words[text.lower()]


def _list(text: str) -> list[str]:
    if text.lstrip().startswith("["):
        return [str(item) for item in json.loads(text)]
    return [part.strip() for part in text.split(",") if part.strip()]


def _json_list(text: str) -> list[str]:
    return [json.dumps(item) for item in json.loads(text)]


READERS: dict[str, Callable[[str], Any]] = {
    "concurrency_policy": _text,
    "starting_deadline": _number,
    "successful_history_limit": _number,
    "failed_history_limit": _number,
    "events": _text,
    "ttl_after_success": _number,
    "ttl_after_failure": _number,
    "pod_gc": _text,
    "archive_logs": _flag,
    "priority_class": _text,
    "service_account": _text,
    "workflow_timeout": _number,
    "workflow_priority": _number,
    "node_selectors": _list,
    "tolerations": _json_list,
    "image_pull_secrets": _list,
    "labels": _list,
    "annotations": _list,
}
"""How each of the choices that can be configured is read from text; lists have commas, tolerations are
JSON."""
PLACES: dict[str, Callable[[str], Any]] = {
    "notify_slack_webhook_url": _text,
    "notify_pager_duty_integration_key": _text,
    "notify_incident_io_api_key": _text,
    "incident_io_alert_source_config_id": _text,
    "incident_io_metadata": _list,
}
"""Whom to notify: of use only where notifications are asked for."""


def configured(choices: C, setting: Callable[[str], str | None]) -> C:
    """The choices with those of the configuration where none were made.

    `setting` gives the text of METAFLOW_HERA_ and a name. Raises ConfigurationError for a text that
    cannot be read, UsageError for a value that cannot be meant.
    """
    found = {}
    notifies = choices.notify_on_error or choices.notify_on_success
    for name, read in {**READERS, **(PLACES if notifies else {})}.items():
        text = setting(name.upper())
        if text is None or getattr(choices, name) not in (None, (), []):
            continue
        try:
            found[name] = read(text)
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"METAFLOW_HERA_{name.upper()} is {text!r}, which cannot be read: {error}."
            ) from error
    return replace(choices, **found)
