"""YAML as people write it. Every parser reads the same object: those of YAML 1.1 and of 1.2, and kubectl."""

from __future__ import annotations

import re
from typing import Any

import yaml

_PLAIN = re.compile(r"(?:--?)?[^\W\d_][\w ./,;:()=+@%'#~^$<>-]*|[\w./][\w./+-]*")
"""Texts that need no quotes, but for those that follow: no sign of YAML's is in them, nor `{{...}}`."""
_STRUCTURE = re.compile(r":(?: |\Z)| #| \Z|\.{3}|---")
_NUMBER_OR_TIME = re.compile(r"[-+._]*[0-9][-0-9A-Fa-fxXoO_:.,+eETtZz ]*|[-+.]*(?:inf|nan|infinity)", re.I)
"""Also what only some parsers take for a number: 1_000, 0o17, 12:30:45, and hashes such as 1e9."""
_OTHER_TYPES = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""In lower case. YAML 1.1 knows more of them than 1.2."""


def to_yaml(value: Any) -> str:
    """An object of JSON's types as a document of YAML."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**9))


class _Dumper(yaml.SafeDumper):
    """Quotes the texts that need it, writes long ones as blocks, and what is there twice twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))
)


def _style(text: str) -> str | None:
    if _is_plain(text):
        return None
    if "\n" in text:
        return "|" if _fits_block(text) else '"'
    # Single quotes keep double ones and backslashes as they are.
    return "'" if text.isprintable() and text.count("'") < text.count('"') + text.count("\\") else '"'


def _is_plain(text: str) -> bool:
    return (
        _PLAIN.fullmatch(text) is not None
        and text.isprintable()
        and _STRUCTURE.search(text) is None
        and _NUMBER_OR_TIME.fullmatch(text) is None
        and text.lower() not in _OTHER_TYPES
    )


def _fits_block(text: str) -> bool:
    """Whether a block shows the text as it is: no odd spaces at its start or at line ends."""
    lines = text.split("\n")
    return not text.startswith((" ", "\n")) and all(
        line.isprintable() and line == line.rstrip() for line in lines
    )
