"""How an option is defined, once: as a field of a dataclass that says everything about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin

from metaflow_hera.choices.checks import Check, as_it_is

T = TypeVar("T")
Reader = Callable[[str], Any]
"""Reads a value from the text of a setting. Raises ValueError, KeyError or TypeError for other texts."""


@dataclass(frozen=True)
class Option:
    """One option, as `option` describes it; `hint` is the type that its field has."""

    name: str
    hint: Any
    default: Any
    help: str
    flags: str
    metavar: str | None
    check: Check
    read: Reader | None
    only_with: Sequence[str]
    field: str | None
    place: str | None

    @property
    def flag(self) -> str:
        """How it is written on the command line, such as --max-workers."""
        return self.flags.partition("/")[0]

    @property
    def kind(self) -> type:
        """The type of a value, or of one of several: int, str, bool, or Mapping."""
        return _kind(self.hint)

    @property
    def type_name(self) -> str:
        """The type of its value in words."""
        if self.kind is Mapping:
            return "dict"
        return f"list[{self.kind.__name__}]" if self.repeatable else self.kind.__name__

    @property
    def repeatable(self) -> bool:
        """Whether it can be given several times."""
        return self.default == () or self.kind is Mapping

    @property
    def key(self) -> str | None:
        """Its key in the configuration, None where it has none."""
        return f"METAFLOW_HERA_{self.name.upper()}" if self.read else None


def option(
    default: T,
    help: str,
    *,
    flags: str | None = None,
    metavar: str | None = None,
    check: Check = as_it_is,
    read: Reader | None = None,
    only_with: Sequence[str] = (),
    field: str | None = None,
    place: str | None = None,
) -> T:
    """An option: the value of a dataclass's field, whose name and type are those of the option.

    Args:
        default: None or () if nothing is chosen.
        help: a sentence on what it does.
        flags: on the command line; by default from the name: `--name`, or `--name/--no-name` for a bool.
        metavar: what help shows in place of a value.
        check: raises OptionError for a value that is not valid, and returns it as the manifest has it.
        read: how its value is read from the configuration; None: it cannot be configured.
        only_with: names of options; the configuration counts only where one of them is chosen.
        field: where the WorkflowTemplate's spec has what `check` returns, such as spec.priority.
        place: in words, where it takes effect, for an option with a rule of its own.
    """
    about = {
        "help": help,
        "flags": flags,
        "metavar": metavar,
        "check": check,
        "read": read,
        "only_with": only_with,
        "field": field,
        "place": place,
    }
    return dataclasses.field(default=default, metadata=about)


def options_of(table: type) -> Sequence[Option]:
    """The options that the fields of a dataclass describe, in their order.

    Its module must not import `annotations` from `__future__`: a field then has its type as text.
    """
    found = []
    for field in dataclasses.fields(table):
        hint, about = field.type, dict(field.metadata)
        word = field.name.replace("_", "-")
        by_default = f"--{word}/--no-{word}" if _kind(hint) is bool else f"--{word}"
        about["flags"] = about["flags"] or by_default
        found.append(Option(name=field.name, hint=hint, default=field.default, **about))
    return tuple(found)


def _kind(hint: Any) -> type:
    kinds = [get_origin(part) or part for part in get_args(hint) or (hint,)]
    found: tuple[type, ...] = (int, bool, Mapping)
    return next((kind for kind in found if kind in kinds), str)
