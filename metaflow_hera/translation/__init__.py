"""From a loaded flow to the objects that Argo runs, written with Hera."""

from metaflow_hera.compat import mend_typing

mend_typing()
