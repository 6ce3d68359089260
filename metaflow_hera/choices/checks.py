"""Checks of the values of options, each of which returns the value as the manifest has it.

A check gets the option's flag, for its message, and a value that was given. It raises OptionError for a value
that is not valid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from metaflow_hera.contract.kubernetes import KEY, is_label_value
from metaflow_hera.contract.manifest import METAFLOW_PREFIX
from metaflow_hera.errors import OptionError

Check = Callable[[str, Any], Any]

TOLERATION_KEYS = {"key", "operator", "value", "effect", "tolerationSeconds"}


def as_it_is(flag: str, value: Any) -> Any:
    """Any value, unchanged."""
    return value


def of_kind(flag: str, value: Any, kind: type) -> None:
    """Raise OptionError for a value from Python that is no text (str), or no whole number (int)."""
    if not isinstance(value, kind) or isinstance(value, bool):
        wanted = "a whole number" if kind is int else "a text"
        raise OptionError(f"{flag} {value!r} is not valid: give {wanted}.")


LARGEST = 2**31 - 1
"""The largest number that all of Kubernetes' and Argo's fields hold (an int32 of Go)."""


def at_least(least: int) -> Check:
    """A number of `least` or more."""

    def check(flag: str, value: int) -> int:
        if value < least:
            raise OptionError(f"{flag} {value} is not valid: give {least} or more.")
        if value > LARGEST:
            raise OptionError(f"{flag} {value} is not valid: give {LARGEST} or less.")
        return value

    return check


def one_of(*words: str) -> Check:
    """One of the given words."""

    def check(flag: str, value: str) -> str:
        if value not in words:
            raise OptionError(f"{flag} {value} is not valid: choose one of {', '.join(words)}.")
        return value

    return check


def pairs(flag: str, texts: Sequence[str]) -> dict[str, str]:
    """Texts `KEY=VALUE`, as a dictionary."""
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise OptionError(f"{flag} {text} is not valid: write KEY=VALUE.")
        found[key] = value
    return found


def splits(flag: str, texts: Sequence[str]) -> dict[str | None, int]:
    """Texts `N` or `STEP=N`, as a dictionary by step; None stands for all that are not named."""
    found: dict[str | None, int] = {}
    for text in texts:
        step, equals, number = str(text).rpartition("=")
        if not re.fullmatch(r"[0-9]{1,10}", number) or bool(equals) != bool(step):
            raise OptionError(f"{flag} {text} is not valid: write N or STEP=N, such as 100 or start=100.")
        name = step or None
        if name in found:
            raise OptionError(
                f"{flag} is given twice{f' for step {name}' if name else ''}: choose one number."
            )
        found[name] = at_least(1)(flag, int(number))
    return found


def annotation_pairs(flag: str, texts: Sequence[str]) -> dict[str, str]:
    """Texts `KEY=VALUE` with keys that Kubernetes accepts."""
    found = pairs(flag, texts)
    for key, text in found.items():
        if not KEY.fullmatch(key):
            raise OptionError(f"{flag} {key}={text}: {key!r} is not a key that Kubernetes accepts.")
        if key.startswith(METAFLOW_PREFIX):
            raise OptionError(
                f"{flag} {key}={text}: keys that begin with {METAFLOW_PREFIX} are Metaflow's own."
            )
        if "{{" in text:
            raise OptionError(f"{flag} {key}={text}: Argo would read {{{{ as one of its variables.")
    return found


def label_pairs(flag: str, texts: Sequence[str]) -> dict[str, str]:
    """Texts `KEY=VALUE` with keys and values that Kubernetes accepts for labels."""
    found = annotation_pairs(flag, texts)
    for key, text in found.items():
        if not is_label_value(text):
            raise OptionError(
                f"{flag} {key}={text}: a value may have at most 63 letters, digits, '-', '_' and '.'."
            )
    return found


def tolerations(flag: str, texts: Sequence[str]) -> list[dict[str, object]]:
    """Tolerations of Kubernetes, each as JSON."""
    return [_toleration(flag, text) for text in texts]


def _toleration(flag: str, text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not found.keys() <= TOLERATION_KEYS or not _is_tolerated(found):
        raise OptionError(
            f"{flag} {text} is not a toleration: write JSON with some of "
            f"{', '.join(sorted(TOLERATION_KEYS))}, such as "
            '\'{"key": "gpu", "operator": "Exists"}\'.'
        )
    return found


def _is_tolerated(found: Mapping[str, object]) -> bool:
    """Whether Kubernetes would accept it: its API server checks what Argo's does not."""
    operator, effect = found.get("operator", "Equal"), found.get("effect")
    exists = operator == "Exists"
    return (
        operator in ("Exists", "Equal")
        and effect in (None, "NoSchedule", "PreferNoSchedule", "NoExecute")
        and (exists or bool(found.get("key")))
        and not (exists and found.get("value"))
        and ("tolerationSeconds" not in found or effect == "NoExecute")
    )
