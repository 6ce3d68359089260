"""The lists of Argo's fields, in the code and in the docs, follow from Argo's schema."""

from __future__ import annotations

import subprocess
import sys

from harness import TESTS

from metaflow_hera.embedded.rules.argo_fields import FIELDS
from metaflow_hera.embedded.rules.implemented_fields import SHAPES, argo_type

SCRIPT = TESTS.parent / "scripts" / "argo_fields.py"


def test_what_is_generated_agrees_with_its_script() -> None:
    check = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, timeout=60)
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


def test_only_fields_that_argo_has_are_implemented() -> None:
    for name, shape in SHAPES.items():
        assert {*shape.works, *shape.ignored} <= set(FIELDS[argo_type(name)]), name
        assert set(shape.nested.values()) <= {f"[]{key}" for key in SHAPES} | set(SHAPES), name
