"""What a check has found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

OK, FAILED, WARNING, NOT_CHECKED = "ok", "failed", "warning", "not checked"
"""The states of a check. Only what has failed keeps a flow from being deployed or run."""


@dataclass(frozen=True)
class Finding:
    """One check: of which part, what was checked, its state, what was found, and what to do about it."""

    part: str
    what: str
    state: str
    found: str
    mend: str | None = None


@dataclass(frozen=True)
class Part:
    """One part of what is checked; its methods make findings of it."""

    name: str

    def ok(self, what: str, found: str) -> Finding:
        """What is as it should be."""
        return Finding(self.name, what, OK, found)

    def failed(self, what: str, found: str, mend: str | None = None) -> Finding:
        """What must be mended; None: `found` says how."""
        return Finding(self.name, what, FAILED, found, mend)

    def warning(self, what: str, found: str, mend: str) -> Finding:
        """What may be as wanted, or may not."""
        return Finding(self.name, what, WARNING, found, mend)

    def not_checked(self, why: str, *whats: str) -> Iterator[Finding]:
        """What could not be checked."""
        return (Finding(self.name, what, NOT_CHECKED, why) for what in whats)


def has_failed(findings: Iterable[Finding]) -> bool:
    """Whether any of them has."""
    return any(finding.state == FAILED for finding in findings)
