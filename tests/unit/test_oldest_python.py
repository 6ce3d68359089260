"""What rides in a code package runs with the oldest Python that an image may have, in grammar and library."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from other_pythons import VERSIONS

from metaflow_extensions.hera.plugins import hera_cli
from metaflow_hera.metaflow_api.decorators.internal import pod_files
from metaflow_hera.translation.container_templates import bootstrap

OLDEST = VERSIONS[0]
PLUGINS = Path(hera_cli.__file__).parent
FILES = [
    *(Path(file) for file, name, _ in pod_files("settings.json") if name.endswith(".py")),
    *PLUGINS.rglob("*.py"),  # Metaflow packs them itself, as those of every extension
]


def test_its_grammar_is_that_of_the_oldest_python() -> None:
    assert len(FILES) > 50
    for file in FILES:
        ast.parse(file.read_text(encoding="utf-8"), str(file), feature_version=OLDEST)
    for datastore in ("local", "s3", "azure", "gs"):
        ast.parse(bootstrap(datastore), datastore, feature_version=OLDEST)


def test_it_uses_only_what_the_oldest_standard_library_has() -> None:
    """Modules, functions, and their arguments."""
    target = "-t={}.{}-".format(*OLDEST)
    vermin = Path(sys.executable).with_name("vermin")
    done = subprocess.run(
        [vermin, target, "--violations", "--no-tips", *map(str, FILES)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
