"""docs/embedded.md against the table it stands for."""

from __future__ import annotations

import re
from pathlib import Path

from metaflow_hera.embedded.rules.fields import SHAPES

DOCUMENT = Path(__file__).parents[2] / "docs" / "embedded.md"


def test_the_table_of_fields_is_that_of_the_code() -> None:
    rows = [
        line.split("|")[2:5] for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line[:2] == "| "
    ]
    documented = [tuple(frozenset(re.findall(r"`(\w+)`", cell)) for cell in row) for row in rows[1:]]
    assert documented == [
        (frozenset(shape.works), frozenset(shape.ignored), shape.refused) for shape in SHAPES.values()
    ]
