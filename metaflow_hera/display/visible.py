"""Text of others on a terminal: what would steer the terminal is shown instead."""

from __future__ import annotations

import re

# All control characters but the tab and the end of a line, and those that turn the direction of writing.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """A text with its control characters written out, such as \\x1b for an escape."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
