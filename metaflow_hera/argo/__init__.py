"""Argo's server as this package uses it: where it is, what is deployed there, what runs there.

All calls go through Hera's client, to a cluster's server and to the embedded one alike.
"""

from metaflow_hera.compat import mend_typing

mend_typing()
