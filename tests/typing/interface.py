"""The whole Python interface as its user's type checker sees it; `nox -s lint` checks it, nothing runs it.

Where a line is wrong on purpose, `mypy --strict` complains if it is not refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import assert_type

import metaflow_hera
from metaflow_hera import (
    ArgoConflict,
    ArgoDenied,
    ArgoError,
    ArgoNotFound,
    ArgoUnreachable,
    ConfigurationError,
    Deployment,
    Difference,
    FieldChange,
    FileChange,
    FlowError,
    Line,
    LocalServerError,
    ManifestError,
    MetaflowHeraError,
    NameTakenError,
    NotFoundError,
    NotYoursError,
    ObjectChange,
    OptionError,
    ParameterChange,
    ParameterError,
    Run,
    RunFailed,
    ScheduledRun,
    StartChange,
    StepProgress,
    TaskFailure,
    TaskRetry,
    UnsupportedError,
    UsageError,
    Version,
    WorkflowTemplate,
    deploy,
    translate,
)


class SomeFlow:
    """In place of a flow's class."""


def deployed() -> Deployment:
    """Every way to name a flow, options of each type, and what is wrong with some."""
    assert_type(deploy("flow.py"), Deployment)
    deploy(Path("flow.py"), max_workers=3, tags=["a"], archive_logs=None, name="other", decorators=["retry"])
    deploy(SomeFlow, config={"file": "x.json"}, config_value={"settings": {"a": 1}}, production=True)
    deploy(metaflow_hera, notify_on_error=True, tolerations=('{"operator": "Exists"}',))
    deploy("flow.py", max_workers="3")  # type: ignore[arg-type]
    deploy("flow.py", max_worker=3)  # type: ignore[call-arg]
    deploy("flow.py", tags=3)  # type: ignore[arg-type]
    deploy(3)  # type: ignore[arg-type]
    return Deployment.find("flow")


def translated() -> str:
    """`translate` has the same options."""
    template = translate("flow.py", max_workers=3, datastore="s3")
    assert_type(template, WorkflowTemplate)
    translate("flow.py", workflow_timeout="1h")  # type: ignore[arg-type]
    kinds = [type(companion).__name__ for companion in template.companions]
    return template.to_yaml() + str(kinds)


def changed(deployment: Deployment) -> tuple[int | None, ...]:
    """Its versions, and going back."""
    assert_type(deployment.versions(), Sequence[Version])
    deployment.rollback("5")  # type: ignore[arg-type]
    number: int = deployment.rollback(5, message="why", authorize="token")
    return (number, *(each.number for each in deployment.versions()), deployment.runs[0].version)


def facts(deployment: Deployment) -> tuple[str, ...]:
    """What a deployment tells."""
    newest: list[Run] = deployment.runs
    assert_type(deployment.runs()[0], Run)
    return (
        *(deployment.name, deployment.flow, deployment.owner, deployment.production_token),
        *(deployment.namespace, metaflow_hera.__version__, *(run.id for run in newest)),
    )


def followed(deployment: Deployment) -> Any:
    """A run from its start to its end."""
    run = deployment.trigger({"alpha": 0.5}, tags=["t"], beta=1)
    assert_type(run, Run)
    run.suspend()
    run.resume("token")
    run.wait(timeout=60)
    run.stop()
    run.terminate()
    run.retry(authorize="token")
    assert_type(run.resubmit(), Run)
    assert_type((run.id, run.pathspec, run.status, run.is_running), tuple[str, str, str, bool])
    assert_type(run.logs("start", follow=True), Iterator[Line])
    assert_type(run.steps, Sequence[StepProgress])
    deployment.delete(authorize="token")
    return Run("argo-flow-x7k2p").run


def made_up(deployment: Deployment) -> list[tuple[Any, ...]]:
    """Runs for times that have passed, and the parts of one."""
    times = deployment.backfill("2026-10-01", "2026-10-31", {"day": "{{date}}"}, parallel=3, alpha=1)
    assert_type(times, Sequence[ScheduledRun])
    deployment.backfill("2026-10-01", cron="0 6 * * *", newest_first=True, dry_run=True)
    deployment.backfill("2026-10-01", parallel="3")  # type: ignore[arg-type]
    return [(each.time, each.zone, each.run_id, each.state, each.ended, each.failed) for each in times]


def printed(lines: Iterator[Line]) -> list[tuple[Any, ...]]:
    """The parts of a line."""
    return [(line.step, line.task, line.attempt, line.text, line.stream, line.time) for line in lines]


def failures(steps: Sequence[StepProgress]) -> list[TaskFailure]:
    """The parts of a step."""
    for step in steps:
        print(step.name, step.depth, step.phase, step.tasks, step.done, step.expected, step.attempts)
        assert_type(step.retries, list[TaskRetry])
        print([(each.path, each.message, each.attempts, each.runs) for each in step.retries])
    return [failure for step in steps for failure in step.failures if failure.path and failure.message]


def compared(deployment: Deployment) -> list[Any]:
    """The parts of a difference."""
    found = deployment.diff()
    assert_type(found, Difference)
    assert_type(deployment.diff("flow.py", max_workers=3), Difference)
    assert_type((bool(found), found.name, found.is_new, found.is_package_known), tuple[bool, str, bool, bool])
    assert_type(found.parameters, Sequence[ParameterChange])
    assert_type(found.starts, Sequence[StartChange])
    assert_type(found.objects, Sequence[ObjectChange])
    assert_type(found.files, Sequence[FileChange])
    assert_type(found.notes, Sequence[str])
    fields: list[FieldChange] = [*found.about, *found.software, *found.settings]
    fields += [field for parameter in found.parameters for field in parameter.fields]
    fields += [field for item in found.objects for field in item.fields]
    told = [(each.path, each.action, each.diff, each.inserted, each.deleted) for each in found.files]
    return [*told, *((field.field, field.old, field.new) for field in fields)]


def told_apart() -> int:
    """Each error; the kinds of one before it."""
    try:
        deploy("flow.py")
    except (NotFoundError, NotYoursError, NameTakenError, OptionError) as error:
        return error.exit_code
    except (FlowError, UnsupportedError, ParameterError, ManifestError) as error:
        return error.exit_code
    except (ArgoUnreachable, ArgoDenied, ArgoNotFound, ArgoConflict) as error:
        return error.exit_code
    except (UsageError, ConfigurationError, ArgoError, LocalServerError, RunFailed) as error:
        return error.exit_code
    except MetaflowHeraError as error:
        assert_type(error.exit_code, int)
        raise
    return 0
