"""What Argo's controller counts and measures for Prometheus; docs/cluster.md says what each metric means.

The controller has each name once, for all flows: it refuses a metric whose help or kind is another one than
that of the first it saw under the name, and has the first one's buckets. So whatever is here stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hera.workflows.models import Amount, Counter, Histogram, MetricLabel, Prometheus

from metaflow_hera.contract import manifest
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.translation.argo_tags import input_parameter
from metaflow_hera.translation.settings import Settings

RUNS = "metaflow_runs_total"
RUN_DURATION = "metaflow_run_duration_seconds"
ATTEMPTS = "metaflow_step_attempts_total"
STEP_DURATION = "metaflow_step_duration_seconds"
HELP = {
    RUNS: "Runs of a Metaflow flow that have ended, by status.",
    RUN_DURATION: "Seconds from the start to the end of runs of a Metaflow flow that succeeded.",
    ATTEMPTS: "Pods of a Metaflow step that have ended, by status; each attempt is a pod.",
    STEP_DURATION: "Seconds until a pod of a Metaflow step succeeded, from the start of its first attempt.",
}
BUCKETS = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400)
"""Upper bounds in seconds, to a day."""
SUCCEEDED, FAILED, ERROR = "Succeeded", "Failed", "Error"


def of_run(flow: LoadedFlow, settings: Settings) -> Sequence[Prometheus]:
    """The metrics of the workflow. Argo emits them once, when a run has ended."""
    labels = _labels(flow, settings)
    status = "{{workflow.status}}"
    duration = _duration(RUN_DURATION, labels, status, "{{workflow.duration}}")
    return [*_counters(RUNS, labels, status), duration]


def of_step(flow: LoadedFlow, settings: Settings) -> Sequence[Prometheus]:
    """The metrics of a container template, whichever step it is used for.

    With a retry strategy Argo emits them for each attempt that another one follows, and then, in place of
    the last attempt, for the Retry node, which has the status of that attempt and the time of all of them.
    Nothing in reach of a metric tells the two apart. So attempts are counted, and only success is timed.
    """
    labels = {**_labels(flow, settings), "step": input_parameter(manifest.STEP)}
    status = "{{status}}"
    duration = _duration(STEP_DURATION, labels, status, "{{duration}}")
    return [*_counters(ATTEMPTS, labels, status), duration]


def _labels(flow: LoadedFlow, settings: Settings) -> Mapping[str, str]:
    return {
        "namespace": "{{workflow.namespace}}",
        "workflow_template": settings.name,
        "flow": flow.name,
    }


def _counters(name: str, labels: Mapping[str, str], status: str) -> Sequence[Prometheus]:
    """A counter by status, and with it those of failures from 0 on.

    Prometheus sees by how much a counter has grown since its first sample: a flow's first failure would not
    be seen if its counter began with it.
    """
    return [
        _metric(name, {**labels, "status": of}, counter=Counter(value=value))
        for of, value in ((FAILED, "0"), (ERROR, "0"), (status, "1"))
    ]


def _duration(name: str, labels: Mapping[str, str], status: str, value: str) -> Prometheus:
    buckets = [Amount(each) for each in BUCKETS]
    histogram = Histogram(buckets=buckets, value=value)
    return _metric(name, labels, histogram=histogram, when=f"{status} == {SUCCEEDED}")


def _metric(
    name: str,
    labels: Mapping[str, str],
    *,
    counter: Counter | None = None,
    histogram: Histogram | None = None,
    when: str | None = None,
) -> Prometheus:
    return Prometheus(
        name=name,
        help=HELP[name],
        labels=[MetricLabel(key=key, value=value) for key, value in labels.items()],
        when=when,
        counter=counter,
        histogram=histogram,
    )
