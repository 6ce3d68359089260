"""Parameter values on their way through Argo and Kubernetes.

Argo expands double braces inside a value once more, and Kubernetes expands dollar signs in the
environment of a container. Argo puts values into JSON text with Go's `strconv.Quote`, whose escapes for
control characters JSON does not have. A value that holds any of these travels as base64; all others stay
readable. The embedded Argo's page has its own code for this form (its `page/parameters.py` and
`static/values.js`); tests check that both agree.
"""

from __future__ import annotations

import base64
import json
import re

UNQUOTABLE = re.compile("[\x00-\x07\x0b\x0e-\x1f\x7f\ud800-\udfff\U000e0000-\U0010ffff]")
"""What does not survive `strconv.Quote` and JSON: control characters, stray bytes, private planes."""

HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Halves of characters; the others stand for bytes that are no text (PEP 383), which do travel."""

LONGEST = 131_072
"""The bytes of an environment variable with its name: Linux' MAX_ARG_STRLEN."""

BOOLEANS = frozenset(["1", "0", "true", "false", "t", "f", "yes", "no", "y", "n", "on", "off"])
"""What Metaflow's command line accepts as a boolean (click's BOOL), in lower case."""

ENCODED = "base64:"
NOT_GIVEN = "null"
"""Stands for "no value" where a Parameter has no default: Argo requires some text everywhere."""


def is_plain(value: str) -> bool:
    """Whether Argo and Kubernetes pass the text on unchanged."""
    return "{{" not in value and "$" not in value and UNQUOTABLE.search(value) is None


def encode(value: str | None) -> str:
    """The text to pass to Argo for a value; None means that no value is given."""
    if value is None:
        return NOT_GIVEN
    if is_plain(value) and value != NOT_GIVEN and not value.startswith(ENCODED):
        return value
    return ENCODED + base64.b64encode(value.encode("utf-8", "surrogateescape")).decode("ascii")


def cannot_travel(variable: str, text: str) -> str | None:
    """What is wrong with a value that no pod can be given in that variable, in words; None if it can."""
    if "\0" in text:
        return "has a NUL character (\\u0000), which the environment of a pod cannot hold"
    if found := HALVES.search(text):
        return f"has half a character (\\u{ord(found[0]):04x}), which is no valid text"
    carried = encode(text)
    most = LONGEST - len(variable) - len("=\0")
    if (length := len(carried.encode())) <= most:
        return None
    kind = " as base64" if carried != text else ""
    return (
        f"has {length} bytes{kind}, and the environment of a pod takes at most {most} for it: "
        "declare an IncludeFile in its place, whose content travels by the datastore"
    )


def misfit(kind: str, text: str) -> str | None:
    """What a Parameter of a kind must be if the text does not fit, such as "a float"; None if it fits."""
    try:
        if kind == "int":
            int(text)
        elif kind == "float":
            float(text)
        elif kind == "JSON":
            json.loads(text)
        elif kind == "bool" and text.lower() not in BOOLEANS:
            raise ValueError
    except (ValueError, RecursionError):
        words = {"JSON": "JSON text", "bool": "a boolean (true or false)", "int": "an int"}
        return words.get(kind, f"a {kind}")
    return None


def decode(text: str) -> str | None:
    """The value that `encode` was given."""
    if text == NOT_GIVEN:
        return None
    if text.startswith(ENCODED):
        return base64.b64decode(text[len(ENCODED) :]).decode("utf-8", "surrogateescape")
    return text
