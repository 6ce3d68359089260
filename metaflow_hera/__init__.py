"""Metaflow flows on Argo Workflows, through Hera."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metaflow_hera.errors import MetaflowHeraError
    from metaflow_hera.interface.api import Deployment, Run, WorkflowTemplate, deploy, translate

__version__ = "0.3.0"
__all__ = ["Deployment", "MetaflowHeraError", "Run", "WorkflowTemplate", "deploy", "translate"]


def __getattr__(name: str) -> Any:
    # Late, since a pod has neither Hera nor what is imported here, and help is to be quick.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "metaflow_hera.errors" if name == "MetaflowHeraError" else "metaflow_hera.interface.api"
    try:
        return getattr(import_module(module), name)
    except ImportError as error:
        from metaflow_hera.contract.environment import PATH

        if PATH not in os.environ:
            raise
        # In a pod a flow's script may import what only its author uses.
        reason = str(error)

    def absent(*_: Any, **__: Any) -> Any:
        raise ImportError(f"metaflow_hera.{name} cannot be used in a pod: {reason}.")

    return absent


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
