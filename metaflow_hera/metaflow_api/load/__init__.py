"""A flow, loaded and read as Metaflow's own command line would."""

import metaflow_hera.metaflow_api.imported  # noqa: F401
from metaflow_hera.compat import mend_typing

mend_typing()  # what is loaded is translated next, with Hera
