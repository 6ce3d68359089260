"""`{{...}}` in a manifest: simple tags and `{{=...}}` expressions.

Argo replaces tags in the JSON text of a template (util/template); here the same is done on the
strings of the parsed template, so that parts without tags stay shared between all nodes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from metaflow_hera.embedded.expressions.language import (
    ExpressionError,
    Missing,
    compile_expression,
    format_value,
)

# Resolves a tag to its text, or to None where the tag is unknown at this place.
Resolve = Callable[[str], str | None]

# `strconv.Quote` writes these as escapes that JSON does not have, so that Argo then fails.
_UNQUOTABLE = re.compile("[\x00-\x07\x0b\x0e-\x1f\x7f\U000e0000-\U0010ffff]")
_CACHED_LENGTH = 4096


class SubstitutionError(ValueError):
    """A tag that cannot be replaced: the node that needs it fails with this message."""


MOST_TEXT = 16_000_000
"""Characters of one text: Argo's own bound is the size of the object that it can store, 1 MiB."""


class TextTooLong(Exception):
    """A text has grown beyond `MOST_TEXT`, for example because a template calls itself with it doubled."""


class MissingVariable(SubstitutionError):
    """A reference to a task's output that is not there: Argo waits for it, possibly for ever."""


def substitute(value: Any, resolve: Resolve, require: bool = False) -> Any:
    """Replace the tags in all strings of a JSON value, once (inserted text is not searched again).

    Parts without tags are returned as the same objects. Unknown tags stay as they are or, with
    `require`, raise SubstitutionError.
    """
    if isinstance(value, str):
        return _in_text(value, resolve, require) if "{{" in value else value
    if isinstance(value, dict):
        changed: dict[str, Any] | None = None
        for key, item in value.items():
            new = substitute(item, resolve, require)
            if new is not item:
                if changed is None:
                    changed = dict(value)
                changed[key] = new
        return value if changed is None else changed
    if isinstance(value, list):
        items = [substitute(item, resolve, require) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value


def tags(value: Any) -> Iterator[str]:
    """The tags in a JSON value, as written between the braces."""
    if isinstance(value, str):
        if "{{" in value:
            for index, part in enumerate(_split(value)):
                if index % 2:
                    yield part
    elif isinstance(value, dict):
        for item in value.values():
            yield from tags(item)
    elif isinstance(value, list):
        for item in value:
            yield from tags(item)


def _in_text(text: str, resolve: Resolve, require: bool) -> str:
    parts = _cached_split(text) if len(text) < _CACHED_LENGTH else _split(text)
    if len(parts) == 1:
        return text
    out: list[str] = []
    for index, part in enumerate(parts):
        if not index % 2:
            out.append(part)
        elif part.startswith("="):
            out.append(_expression(part, resolve, require))
        else:
            out.append(_simple(part, resolve, require))
    result = "".join(out)
    if len(result) > MOST_TEXT:
        raise TextTooLong(f"a text with its tags replaced has more than {MOST_TEXT:,} characters")
    return text if result == text else result


def _simple(tag: str, resolve: Resolve, require: bool) -> str:
    value = resolve(tag.strip())
    if value is None:
        nested = tag.rfind("{{")
        if nested > 0:
            inner = resolve(tag[nested + 2 :])
            if inner is not None:
                return "{{" + tag[:nested] + _quotable(inner)
        if require:
            raise SubstitutionError(f"failed to resolve {{{{{tag}}}}}")
        return "{{" + tag + "}}"
    return _quotable(value)


def _quotable(value: str) -> str:
    if _UNQUOTABLE.search(value):
        raise SubstitutionError("cannot finish template replacement because the result was invalid JSON")
    return value


def _expression(tag: str, resolve: Resolve, require: bool) -> str:
    def lookup(path: Sequence[str]) -> Any:
        value = resolve(".".join(path))
        if value is None:
            raise Missing
        return value

    try:
        value = compile_expression(tag[1:])(lookup)
    except (ExpressionError, Missing) as error:
        if require:
            raise SubstitutionError(f"failed to evaluate expression: {error or tag[1:]}") from error
        return "{{" + tag + "}}"
    return _quotable(format_value(value))


def _split(text: str) -> Sequence[str]:
    """Text and tags in their order; a tag that is never closed is text."""
    parts: list[str] = []
    at = 0
    while True:
        start = text.find("{{", at)
        end = text.find("}}", start + 2) if start >= 0 else -1
        if end < 0:
            parts.append(text[at:])
            return parts
        parts += [text[at:start], text[start + 2 : end]]
        at = end + 2


_cached_split = lru_cache(maxsize=8192)(_split)
