"""Where things lie in a code package, by the names of Metaflow's own (packaging_sys/v1.py).

`runtime.bootstrap` repeats that of the modules, since it runs before the package is unpacked.
"""

from __future__ import annotations

import json
import os
from typing import Any

MODULES = ".mf_code"
"""The folder of the modules: Metaflow, its extensions, what a user shares among flows."""
MARKER = ".mf_install"
"""The file by which Metaflow knows a code package."""
INFO = ".mf_meta/INFO"
"""Metaflow's note of what has made the package."""
CONFIG = ".mf_meta/CONFIG"
"""The values of the flow's Configs."""
DIST_INFO = ".mf_meta/DIST_INFO"
"""What was installed where the package was made."""

READ_AT_IMPORT = ("ext_info", "metaflow_version")
"""What of INFO Metaflow reads when it is imported (extension_support, metaflow_version.py)."""


def read_at_import(package: str) -> list[Any]:
    """What an unpacked package says in INFO that an import of Metaflow from there depends on."""
    with open(os.path.join(package, INFO), encoding="utf-8") as file:
        info = json.load(file)
    return [info.get(key) for key in READ_AT_IMPORT]
