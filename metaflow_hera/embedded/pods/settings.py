"""What a server is told about its pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CACHE = "cache"
"""The folder in a home for what can be made again: what pods share, and what deploying flows keeps."""


@dataclass(frozen=True, slots=True)
class PodSettings:
    """How many pods may run at once, over all workflows; what is in the environment of each.

    `may_fork` says whether those that ask for it are forked (see `warm`) instead of started.
    """

    limit: int
    environment: Mapping[str, str] = field(default_factory=dict)
    may_fork: bool = True
