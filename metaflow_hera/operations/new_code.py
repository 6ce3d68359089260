"""New code for a run that is retried: packaged, and checked against the run's manifest."""

from __future__ import annotations

from metaflow_hera.argo.objects import stored_spec
from metaflow_hera.contract.manifest import CODE_PARAMETER
from metaflow_hera.contract.objects import JSON
from metaflow_hera.contract.values import decode, encode
from metaflow_hera.errors import UsageError
from metaflow_hera.graph.steps import Graph
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.metaflow_api.load.packages import save_package, stored_settings
from metaflow_hera.metaflow_api.pod.packaged_settings import PodSettings
from metaflow_hera.operations.run_parameters import effective
from metaflow_hera.translation import parameters, support

INSTEAD = "deploy it with mfhera create, then start a new run with mfhera resubmit."


def new_code_parameter(workflow: JSON, flow: LoadedFlow) -> str:
    """Package a flow, and return the value of the workflow's parameter that makes its pods run that code.

    Raises UsageError if the flow no longer fits the workflow's manifest: then nothing is stored.
    """
    support.check(flow)
    package = decode(effective(workflow).get(CODE_PARAMETER) or "")
    if not package:
        raise UsageError(
            f"{workflow['metadata']['name']} was deployed by an older version, so its code cannot be "
            "replaced: deploy the flow again, then start a new run with mfhera resubmit."
        )
    old = stored_settings(flow, package)
    if old is None:
        raise UsageError(
            f"The code package of the run ({package}) is not in the datastore of {flow.file.name}: "
            "give the --datastore and --datastore-root with which the flow was deployed."
        )
    _check_parameters(flow, workflow)
    _check_fits(flow, old)
    return encode(save_package(flow).url)


def _check_parameters(flow: LoadedFlow, workflow: JSON) -> None:
    """The pods of the run have the variables of its own Parameters, and keep them."""
    before = parameters.names_in(stored_spec(workflow).get("templates") or ())
    now = {parameter.name for parameter in flow.parameters}
    if different := sorted(before ^ now):
        what = "is gone" if different[0] in before else "is new"
        raise UsageError(
            f"The new code has other Parameters ({different[0]!r} {what}), "
            f"and the run has those that it was started with: {INSTEAD}"
        )


def _check_fits(flow: LoadedFlow, old: PodSettings) -> None:
    different = _difference(old.graph, flow.graph)
    if different is not None:
        raise UsageError(
            f"The new code has another graph ({different}), and the run follows the old one: {INSTEAD}"
        )
    for step in flow.graph:
        before, now = old.steps[step.name].retries.total, flow.retries(step.name).total
        if before != now:
            raise UsageError(
                f"The new code retries step {step.name} {now} times, and the run was deployed with {before}: "
                f"give the --with options of mfhera create again, or {INSTEAD}"
            )
    environment = next(
        (option.partition("=")[2] for option in old.top_level if option.startswith("--environment=")), "local"
    )
    for option, then, is_now in (
        ("--metadata", old.metadata, flow.metadata),
        ("--environment", environment, flow.environment),
    ):
        if then != is_now:
            raise UsageError(
                f"The run was deployed with {option}={then}, and the new code has {is_now}: "
                f"give {option}={then}."
            )


def _difference(old: Graph, new: Graph) -> str | None:
    """How two graphs differ, in words; None if they are the same."""
    if gone := sorted(old.steps.keys() - new.steps.keys()):
        return f"step {gone[0]} is gone"
    if added := sorted(new.steps.keys() - old.steps.keys()):
        return f"step {added[0]} is new"
    for name, step in old.steps.items():
        if step != new[name]:
            return f"step {name} has changed"
    return None if (old.start, old.end) == (new.start, new.end) else "it begins or ends with another step"
