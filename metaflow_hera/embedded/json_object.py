"""The form of Argo's objects in Python."""

from __future__ import annotations

from typing import Any

JSON = dict[str, Any]
"""An object of Argo's or a part of one, as read from JSON."""

NOT_JSON = (ValueError, RecursionError)
"""What reading a text raises that is no JSON, or nested too deep."""

LONGEST = 18


def count_in(text: str) -> int | None:
    """The number that a text of few decimal digits stands for, for which SQLite has room; else None."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST else None
