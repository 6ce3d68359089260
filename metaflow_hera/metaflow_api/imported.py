"""Imports Metaflow, if its version is one that this package works with.

Each folder that uses Metaflow imports this first: Metaflow imports the decorators as its plugins, and these
import modules here, which must not be half imported then.
"""

from metaflow_hera.metaflow_api.versions import check_metaflow

check_metaflow()
import metaflow  # noqa: E402, F401
