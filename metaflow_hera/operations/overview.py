"""What is deployed, with what becomes of it: the last run and the next start of each deployment."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime

from metaflow_hera.argo import runs
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.deployments import Deployed, deployed
from metaflow_hera.argo.objects import is_cron_of, template_of
from metaflow_hera.argo.run import Run
from metaflow_hera.argo.schedules import firings, schedules_in
from metaflow_hera.contract.objects import JSON
from metaflow_hera.errors import UnsupportedError


@dataclass(frozen=True)
class Overview:
    """A deployment with its last run, and when a schedule starts it next; None: there is none.

    It is None as well where the last run is not among the latest of the server (`runs.RECENT`), and where
    schedules cannot be read here.
    """

    deployed: Deployed
    last_run: Run | None
    next_start: datetime | None

    def as_json(self) -> JSON:
        """All that is known about it, for programs."""
        run = self.last_run
        return {
            **asdict(self.deployed),
            "last_run": run
            and {
                "run_id": run.run_id,
                "state": run.phase,
                "phase": run.phase,  # its name up to 0.4, for programs that read it
                "started_at": run.started_at,
            },
            "next_start": self.next_start,
        }


def overview(client: ArgoClient) -> list[Overview]:
    """All deployments at a server, in calls whose number does not grow with theirs."""
    crons = [cron for cron in client.crons() if is_cron_of(cron, template_of(cron))]
    found = list(deployed(client, crons))
    last = runs.latest(client, (each.name for each in found))
    return [Overview(each, last.get(each.name), _next_start(each, crons)) for each in found]


def _next_start(deployment: Deployed, crons: Iterable[JSON]) -> datetime | None:
    schedules = [
        each for cron in crons if template_of(cron) == deployment.name for each in schedules_in(cron)
    ]
    with suppress(UnsupportedError):
        for firing in firings(schedules, 1):
            return firing.time
    return None
