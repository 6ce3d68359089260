"""@exit_hook of a flow as plain data."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from metaflow_hera.errors import FlowError, UnsupportedError
from metaflow_hera.metaflow_api.load.flows import LoadedFlow


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
        hook = ExitHook(tuple(deco.success_hooks), tuple(deco.error_hooks), image)
        for name in (*hook.on_success, *hook.on_error):
            _check(name, sys.modules[type(flow.state.flow).__module__])
        found.append(hook)
    return found


def _check(name: str, script: Any) -> None:
    if callable(getattr(script, name, None)):
        return
    module, _, function = name.rpartition(".")
    try:
        if module and callable(getattr(importlib.import_module(module), function, None)):
            return
    except ImportError:
        pass
    raise FlowError(
        f"@exit_hook: there is no function {name} in the flow's script: "
        "define it there with def, or give its import path, as 'module.function'."
    )
