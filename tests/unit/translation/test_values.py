"""Values on their way through Argo and Kubernetes."""

from __future__ import annotations

import json

import pytest

from metaflow_hera.contract.values import decode, encode

PLAIN = [
    "",
    "hello",
    "0.5",
    'it\'s "quoted"',
    "two\nlines",
    "żółć 🎈",
    "a=b,c",
    " ",
    "\\n",
    "{x}",
    "}}",
    "1e-5",
]
ENCODED = [
    "{{workflow.name}}",
    "{{=1+1}}",
    "a{{",
    "$(HOME)",
    "$$",
    "$",
    "null",
    "base64:x",
    "base64:",
    "nul\0",
    "\x1b[0m",
    "\x7f",
    b"caf\xe9".decode("utf-8", "surrogateescape"),
]


@pytest.mark.parametrize("value", [*PLAIN, *ENCODED, None])
def test_a_value_comes_back_as_it_was(value: str | None) -> None:
    assert decode(encode(value)) == value


@pytest.mark.parametrize("value", PLAIN)
def test_what_nobody_expands_stays_readable(value: str) -> None:
    assert encode(value) == value


@pytest.mark.parametrize("value", ENCODED)
def test_what_somebody_would_expand_is_hidden(value: str) -> None:
    text = encode(value)
    assert text.isascii()
    assert not {"$", "{", "}"} & set(text)
    assert text.isprintable()
    assert json.loads(json.dumps(text)) == text


def test_no_value_is_not_the_text_null() -> None:
    assert encode(None) != encode("null")
    assert decode(encode("null")) == "null"


def test_encoding_twice_and_decoding_twice_is_the_same() -> None:
    assert decode(decode(encode(encode("$(X)"))) or "") == "$(X)"
