"""@exit_hook of a flow as plain data."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from metaflow_hera.errors import FlowError, UnsupportedError
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.metaflow_api.load.output import to_stderr


@dataclass(frozen=True)
class ExitHook:
    """The functions of one @exit_hook, by their names in the flow's script or their import paths.

    `image` is the one to run them in, None for that of the flow's first step.
    """

    on_success: Sequence[str]
    on_error: Sequence[str]
    image: str | None


def exit_hooks(flow: LoadedFlow) -> Sequence[ExitHook]:
    """The exit hooks of a flow. Raises FlowError for a function that no pod could find."""
    found = []
    for deco in flow.state.flow._flow_decorators.get("exit_hook", ()):
        options = dict(deco.attributes["options"] or {})
        image = options.pop("image", None)
        if options:
            raise UnsupportedError(
                f"@exit_hook has the option {next(iter(options))!r}: only 'image' is possible."
            )
        place = sys.modules[type(flow.state.flow).__module__]
        on_success, on_error = (
            tuple(_found(name, place) for name in names) for names in (deco.success_hooks, deco.error_hooks)
        )
        found.append(ExitHook(on_success, on_error, image))
    return found


def _found(name: str, place: Any) -> str:
    """How a pod finds a function of the flow's script, or of the module that the script has the flow from."""
    if callable(getattr(place, name, None)):
        return name if place.__name__ == "__main__" else f"{place.__name__}.{name}"
    module, _, function = name.rpartition(".")
    with contextlib.suppress(ImportError), to_stderr():
        if module and callable(getattr(importlib.import_module(module), function, None)):
            return name
    raise FlowError(
        f"@exit_hook: there is no function {name} in the flow's script: "
        "define it there with def, or give its import path, as 'module.function'."
    )
