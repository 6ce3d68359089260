"""The choices that a command leaves to the configuration (METAFLOW_HERA_...)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from metaflow_hera.choices.deployment import Choices
from metaflow_hera.choices.option import options_of
from metaflow_hera.errors import ConfigurationError, OptionError

C = TypeVar("C", bound=Choices)


def configured(choices: C, setting: Callable[[str], str | None]) -> C:
    """The choices, with those of the configuration where none were made.

    `setting` returns the text of METAFLOW_HERA_ and a name. Raises ConfigurationError for a text that
    cannot be read, or whose value is not valid.
    """
    found: dict[str, Any] = {}
    for option in options_of(type(choices)):
        if option.read is None or getattr(choices, option.name) not in (None, (), []):
            continue
        if option.only_with and not any(getattr(choices, name) for name in option.only_with):
            continue
        text = setting(option.name.upper())
        if text is None:
            continue
        try:
            found[option.name] = option.read(text)
            option.check(str(option.key), found[option.name])
        except OptionError as error:
            raise ConfigurationError(str(error)) from error
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"{option.key} is {text!r}, which cannot be read: {error}.") from error
    return replace(choices, **found)
