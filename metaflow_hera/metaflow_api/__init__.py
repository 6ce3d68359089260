"""The one place that touches Metaflow's non-public parts.

Everything else sees the plain data and the few functions defined here, so that a change inside Metaflow
needs a change only here. The modules that a pod uses (`pod`, `decorators`, `read.client`) need nothing
beyond the standard library and Metaflow.
"""

from metaflow_hera.metaflow_api.versions import check_metaflow

check_metaflow()
# Before any module here: Metaflow imports the decorators as its plugins, and these import modules here, which
# must not be half imported then.
import metaflow  # noqa: E402, F401
