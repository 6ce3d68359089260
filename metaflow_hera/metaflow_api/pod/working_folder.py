"""What Metaflow takes from the working folder: where it puts files on their way, and what git knows of it."""

from __future__ import annotations

import os

from metaflow import metaflow_config, metaflow_git
from metaflow.metaflow_config_funcs import from_conf


def tell_metaflow() -> None:
    """Let the place for files be the present working folder, unless it is configured, and ask git nothing.

    Metaflow looks for the place when it is imported (metaflow_config.py), which may have been before this pod
    was forked. The folder of a pod is no work tree: what a task registers of git is in its code package
    (metadata_provider/metadata.py).
    """
    metaflow_git._git_info_cache = {}
    metaflow_config.ARTIFACT_LOCALROOT = from_conf("ARTIFACT_LOCALROOT", os.getcwd())
