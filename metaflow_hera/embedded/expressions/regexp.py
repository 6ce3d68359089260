"""Regular expressions as Go's `regexp` reads them: no look-around, no backreferences, and a time that grows
with the text alone, whatever the pattern. RE2 matches them; its complaints are put into Go's words.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

# Both libraries parse alike, and name what is wrong in different words (syntax/parse.go, re2/regexp.cc).
_WORDS = {
    "invalid escape sequence": "invalid escape sequence",
    "invalid character class": "invalid character class",
    "invalid character class range": "invalid character class range",
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "unexpected )": "unexpected )",
    "trailing \\": "trailing backslash at end of expression",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid UTF-8": "invalid UTF-8",
    "invalid named capture group": "invalid named capture",
    "pattern too large - compile failed": "expression too large",
}


class RegexpError(ValueError):
    """A pattern that Go does not read; the message is Go's."""


def check(pattern: str) -> None:
    """Raise RegexpError for a pattern that Go does not read."""
    _compiled(pattern)


def found(pattern: str, text: str) -> bool:
    """Whether a pattern matches anywhere in a text (MatchString). Raises RegexpError."""
    return _compiled(pattern).search(text.encode("utf-8", "replace")) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    import re2  # a library of its own, which few verbs need

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern.encode("utf-8", "replace"), options)
    except re2.error as error:
        raise RegexpError(_in_gos_words(pattern, error.args[0].decode("utf-8", "replace"))) from error


def _in_gos_words(pattern: str, complaint: str) -> str:
    reason, _, part = complaint.partition(": ")
    if part in ("(?<=", "(?<!"):  # for Go a look-behind is a named group with a bad name
        reason = "invalid named capture group"
        part = pattern[pattern.find(part) :]
        name, end, _ = part.partition(">")
        part = name + end
    return f"error parsing regexp: {_WORDS.get(reason, reason)}: `{part}`"
