"""The controller of the embedded Argo: pure, without I/O, threads or a clock."""

from .operation import Operation

__all__ = ["Operation"]
