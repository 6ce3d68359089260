"""The one value of Metaflow's configuration that is the working folder: where it puts files on their way."""

from __future__ import annotations

import os

from metaflow import metaflow_config, metaflow_config_funcs

NAME = "METAFLOW_ARTIFACT_LOCALROOT"


def tell_metaflow() -> None:
    """Let it be the present working folder, unless it is configured.

    Metaflow looks when it is imported (metaflow_config.py), which may have been before this pod was forked.
    """
    configs = metaflow_config_funcs._all_configs
    if configs[NAME].is_default:
        metaflow_config.ARTIFACT_LOCALROOT = folder = os.getcwd()
        configs[NAME] = configs[NAME]._replace(value=folder)
