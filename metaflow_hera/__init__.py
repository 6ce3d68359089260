"""Metaflow flows on Argo Workflows, through Hera."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metaflow_hera.argo.progress import StepProgress
    from metaflow_hera.argo.shared_pods import TaskFailure, TaskRetry
    from metaflow_hera.comparison.records import (
        Difference,
        FieldChange,
        FileChange,
        ObjectChange,
        ParameterChange,
        StartChange,
    )
    from metaflow_hera.errors import (
        ArgoConflict,
        ArgoDenied,
        ArgoError,
        ArgoEventsMissing,
        ArgoExpired,
        ArgoNotFound,
        ArgoTokenRefused,
        ArgoTooOld,
        ArgoUnanswered,
        ArgoUnreachable,
        ConfigurationError,
        FlowError,
        LocalServerError,
        ManifestError,
        MetaflowHeraError,
        NameTakenError,
        NotFoundError,
        NotYoursError,
        OptionError,
        ParameterError,
        RunFailed,
        UnsupportedError,
        UsageError,
    )
    from metaflow_hera.interface.api import Deployment, WorkflowTemplate, deploy, translate
    from metaflow_hera.interface.runs import Run
    from metaflow_hera.operations.backfill import ScheduledRun
    from metaflow_hera.operations.logs import Line
    from metaflow_hera.operations.versions import Version

__version__ = "0.4.0"
__all__ = [
    "ArgoConflict",
    "ArgoDenied",
    "ArgoError",
    "ArgoEventsMissing",
    "ArgoExpired",
    "ArgoNotFound",
    "ArgoTokenRefused",
    "ArgoTooOld",
    "ArgoUnanswered",
    "ArgoUnreachable",
    "ConfigurationError",
    "Deployment",
    "Difference",
    "FieldChange",
    "FileChange",
    "FlowError",
    "Line",
    "LocalServerError",
    "ManifestError",
    "MetaflowHeraError",
    "NameTakenError",
    "NotFoundError",
    "NotYoursError",
    "ObjectChange",
    "OptionError",
    "ParameterChange",
    "ParameterError",
    "Run",
    "RunFailed",
    "ScheduledRun",
    "StartChange",
    "StepProgress",
    "TaskFailure",
    "TaskRetry",
    "UnsupportedError",
    "UsageError",
    "Version",
    "WorkflowTemplate",
    "__version__",
    "deploy",
    "translate",
]
_MODULES = {
    **dict.fromkeys(("Deployment", "WorkflowTemplate", "deploy", "translate"), "interface.api"),
    "Run": "interface.runs",
    "StepProgress": "argo.progress",
    **dict.fromkeys(("TaskFailure", "TaskRetry"), "argo.shared_pods"),
    "Line": "operations.logs",
    **dict.fromkeys(
        ("Difference", "FieldChange", "FileChange", "ObjectChange", "ParameterChange", "StartChange"),
        "comparison.records",
    ),
    "Version": "operations.versions",
    "ScheduledRun": "operations.backfill",
}
"""The module of each name that is not an error."""

if os.path.basename(os.path.dirname(__path__[0])) == ".mf_code":
    # A part of this package, in a code package: the rest may be installed where that runs.
    from metaflow_hera.installed import find_installed

    find_installed(__name__, __path__, __version__)


def __getattr__(name: str) -> Any:
    # Imported on use: a pod has neither Hera nor what is imported here, and help must be quick.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"metaflow_hera.{_MODULES.get(name, 'errors')}"), name)
    except ImportError as error:
        from metaflow_hera.contract.environment import PATH

        if PATH not in os.environ:
            raise
        # In a pod a flow's script may import what only its author uses.
        reason = str(error)

    def absent(*_: Any, **__: Any) -> Any:
        raise ImportError(f"metaflow_hera.{name} is not available in a pod: {reason}.")

    return absent


def __dir__() -> list[str]:
    return sorted(__all__)
