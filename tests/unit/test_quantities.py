"""Kubernetes' quantities."""

from __future__ import annotations

import pytest

from metaflow_hera.embedded.rules.quantities import parse_quantity


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        (128974848, 128974848),
        ("129e6", 129_000_000),
        ("129M", 129_000_000),
        ("123Mi", 123 * 2**20),
        ("1.5Gi", 1536 * 2**20),
        ("4096M", 4_096_000_000),
        (".5k", 500),
        ("1.", 1),
        ("100m", 1),
        ("1E", 10**18),
        ("1E3", 1000),
        ("-2Ki", -2048),
    ],
)
def test_what_a_quantity_means(text: str | int, expected: int) -> None:
    assert parse_quantity(text) == expected


@pytest.mark.parametrize("text", ["", "M", "1 M", "1Kib", "1ki", "1K", "1,5", "1e", "nan", "1e99999"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="quantities must match"):
        parse_quantity(text)
