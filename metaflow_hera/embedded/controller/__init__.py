"""The controller of the embedded Argo: pure, without I/O, threads or a clock."""

from metaflow_hera.embedded.controller.operation import Operation

__all__ = ["Operation"]
