"""What the page makes of texts that are no JSON, no number, or far too large: nothing, and it goes on."""

from __future__ import annotations

import base64

import pytest

from metaflow_hera.embedded.json_object import count_in
from metaflow_hera.embedded.page.details import environment_of, tags_of

DEEP = "[" * 100_000


@pytest.mark.parametrize("text", ["", "-1", "1.5", "²", "٣", "9" * 19, "9" * 5_000])
def test_no_number(text: str) -> None:
    assert count_in(text) is None


def test_a_number() -> None:
    assert count_in("007") == 7
    assert count_in("9" * 18) == 10**18 - 1


@pytest.mark.parametrize("tags", [DEEP, "{", "5", "null"])
def test_no_tags(tags: str) -> None:
    assert tags_of({"METAFLOW_HERA_TAGS": tags}, []) == []


@pytest.mark.parametrize(
    ("encoded", "more"), [(DEEP, {}), ("[1]", {}), ("{", {}), ('{"ROOT": 5}', {"ROOT": "5"})]
)
def test_variables_that_travel_together(encoded: str, more: dict[str, str]) -> None:
    value = base64.b64encode(encoded.encode()).decode()
    env = [
        {"name": "METAFLOW_FLOW_NAME", "value": "AFlow"},
        {"name": "METAFLOW_HERA_ENCODED", "value": value},
    ]
    found = environment_of({"templates": [{"container": {"env": env}}]})
    assert found == {"METAFLOW_FLOW_NAME": "AFlow", **more}
