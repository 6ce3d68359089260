"""`dataclass` for the tables of options: with `kw_only`, which the Python 3.9 of an image does not know."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING or sys.version_info >= (3, 10):
    from dataclasses import dataclass
else:

    def dataclass(*, kw_only: bool, **options: Any) -> Any:
        """The decorator without it: a pod makes no such table by itself."""
        return dataclasses.dataclass(**options)
