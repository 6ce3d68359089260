"""How far the tasks of a place are, in the words of `mfhera status`: made here, the page only shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from metaflow_hera.embedded.page.ranges import FAILED
from metaflow_hera.embedded.storage.reader import Head

FINISHED = ("Succeeded", "Failed", "Error", "Skipped", "Omitted")
NEVER_MADE = ("Skipped", "Omitted")
"""The phases of nodes that stand for a task which there is not."""

NOT_STARTED = "Not started"
NOT_CREATED_YET = "Waiting"


@dataclass
class Progress:
    """The tasks of a place.

    Attributes:
        phases: how many there are in each of Argo's phases.
        expected: how many there should be, as far as that is known.
        not_started: how many of these will never start.
        attempts: how many pods they have had.
        many: whether they are told in numbers.
    """

    phases: Mapping[str, int] = field(default_factory=dict)
    expected: int | None = None
    not_started: int = 0
    attempts: int = 0
    many: bool = False

    @property
    def tasks(self) -> int:
        """How many have been created."""
        return sum(self.phases.values())

    @property
    def whole(self) -> int:
        """How many there are to be, as far as that is known."""
        return max(self.tasks, self.expected or 0)

    @property
    def failed(self) -> int:
        """How many have failed."""
        return sum(self.phases.get(phase, 0) for phase in FAILED)

    @property
    def state(self) -> str:
        """All of them in a word.

        Waiting before the first one is created, Skipped if a switch passed them by, "Not started" if a
        failure or the end of the run keeps them from starting, Pending if those created only wait to run.
        """
        if not self.phases:
            if self.not_started and self.not_started >= (self.expected or 0):
                return NOT_STARTED
            return NOT_CREATED_YET if self.expected != 0 else "Skipped"
        for phase in ("Error", "Failed"):
            if self.phases.get(phase):
                return phase
        done = sum(self.phases.get(phase, 0) for phase in FINISHED)
        if done < max(self.tasks, (self.expected or 0) - self.not_started):
            waits = self.phases.get("Pending") and not self.phases.get("Running")
            return "Pending" if waits else "Running"
        return "Succeeded"

    @property
    def words(self) -> str:
        """The state with the numbers behind it."""
        words = self.state
        if self.many and self.whole and words != NOT_STARTED:
            words += f" {self.phases.get('Succeeded', 0)}/{self.whole}"
            counts = {
                "running": self.phases.get("Running", 0),
                "waiting": self.phases.get("Pending", 0),
                "failed": self.failed,
                "not started": self.not_started if self.phases else 0,
            }
            words += "".join(f", {count} {what}" for what, count in counts.items() if count)
        if self.attempts > self.tasks:
            words += f" ({self.attempts} attempts)"
        return words

    def ended(self, run_phase: str) -> None:
        """The run has ended: what has not been created will not be."""
        if run_phase == "Succeeded":  # what did not run was not chosen by a switch
            self.expected, self.not_started = self.tasks, 0
        else:
            self.not_started = max(self.tasks, 1 if self.expected is None else self.expected) - self.tasks


def phase_in(head: Head, phase: str) -> str:
    """The phase of a task as it is shown: what a run that was ended leaves behind has failed with it."""
    return "Failed" if head.finished is not None and phase in ("Pending", "Running") else phase
