"""The one place that touches Metaflow's non-public parts.

Everything else sees the plain data and the few functions defined here, so that a change inside Metaflow
needs a change only here. The modules that a pod uses (`pod`, `decorators`, `read.client`) need nothing
beyond the standard library and Metaflow. `light` follows Metaflow's rules without importing it, for the
verbs that only ask Argo's server; all other folders import Metaflow before any module of theirs.
"""
