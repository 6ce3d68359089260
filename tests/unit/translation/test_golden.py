"""Small flows and what becomes of them, whole, in tests/golden.

After a change that is meant, write the files anew and look at the difference:

    UPDATE_GOLDEN=1 pytest tests/unit/translation/test_golden.py && git diff tests/golden
"""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
import yaml
from exporting import exported, objects, without_modules
from harness import TESTS

GOLDEN = TESTS / "golden"
CASES: dict[str, tuple[str, ...]] = {
    "linear": ("linear_flow.py",),
    "split": ("split_flow.py",),
    "foreach": ("foreach_flow.py", "--max-workers", "7"),
    "mixed": ("mixed_flow.py",),
    "deep": ("deep_flow.py",),
    "splits": ("deep_flow.py", "--splits-per-pod", "10", "--with", "retry", "--with", "timeout:seconds=60"),
    "switch": ("switch_flow.py",),
    "loop": ("loop_flow.py",),
    "names": ("names_flow.py",),
    "retry": ("retry_flow.py", "--with", "retry"),
    "metrics": ("foreach_flow.py", "--metrics", "--with", "retry"),
    "pod": ("pod_flow.py",),
    "types": ("types_flow.py",),
    "required": ("required_flow.py",),
    "deploy_time": ("deploy_time_flow.py",),
    "schedule": ("schedule_flow.py",),
    "schedules": ("schedules_flow.py",),
    "event": ("event_flow.py",),
    "hooked": (
        "hooked_flow.py",
        *("--notify-on-error", "--notify-slack-webhook-url", "https://hooks.example/x"),
        *("--ttl-after-success", "60", "--label", "team=blue"),
    ),
    "options": (
        "linear_flow.py",
        "--name=by-hand",
        "--tag=a:b",
        "--tag={{x}}",
        "--namespace=user:somebody",
        "--workflow-timeout=60",
        "--workflow-priority=5",
        "--with=resources:cpu=2,memory=512",
        '--with=environment:vars={"PRICE": "$(X) {{y}}", "PLAIN": "1e-5"}',
    ),
}
UNSTABLE = {
    "metaflow-code-package",
    "METAFLOW_CODE_METADATA",
    "METAFLOW_VERSION",
}


def stable(value: Any) -> Any:
    """The same without what differs between machines, versions and changes of the bootstrap's text."""
    if isinstance(value, list):
        return [stable(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("name") in UNSTABLE:
        return {**value, "value": f"<{value['name']}>"}
    if "command" in value and "args" in value:
        value = {
            **value,
            "args": [value["args"][0], "<bootstrap>"],
            "command": ["<python>"],
            "image": re.sub(r"^python:[0-9.]+$", "python:<version>", value["image"]),
        }
    return {key: stable(item) for key, item in value.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_flow_becomes_what_it_became_before(name: str) -> None:
    found = [stable(item) for item in objects(without_modules(exported(*CASES[name])))]
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(yaml.safe_dump_all(found, sort_keys=False, allow_unicode=True, width=100))
    assert found == list(yaml.safe_load_all(path.read_text())), "see the module for how to renew it"


@pytest.mark.parametrize("name", CASES)
def test_nothing_of_this_machine_is_left_in_the_golden_files(name: str) -> None:
    text = (GOLDEN / f"{name}.yaml").read_text()
    assert not re.search(r"/((home|root|work)/|tmp/(?!metaflow_hera/(items|next|iterations)))", text)
