"""The one place that touches Metaflow's non-public parts.

Everything else sees the plain data and the few functions defined here, so that a change inside
Metaflow is mended here. Modules used in a pod (`commands`, `settings`, `datastore`, `logs`,
`decorator`) need nothing beyond the standard library and Metaflow.
"""
