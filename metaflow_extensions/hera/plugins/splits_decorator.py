"""@splits_per_pod: how many tasks of the foreach that a step opens one pod runs.

A flow that has it must load wherever it runs: so this needs Metaflow alone.
"""

from __future__ import annotations

from typing import Any, ClassVar

from metaflow.decorators import StepDecorator


class SplitsPerPodDecorator(StepDecorator):
    """Lets one pod run several tasks of the foreach that this step opens, one after the other.

    Each is a task of its own, with its own logs, artifacts and attempts. It has no effect on `run`. The
    option `--splits-per-pod STEP=N` of `create` takes precedence.

    Parameters
    ----------
    number : int, default 1
        How many tasks a pod runs.
    """

    name = "splits_per_pod"
    defaults: ClassVar[dict[str, Any]] = {"number": 1}
