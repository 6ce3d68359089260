"""What runs when a run has ended: the functions of @exit_hook, and notifications.

Each function runs in a process of its own, so that none keeps the others from running. If one fails, the pod
fails, which Argo shows; the run keeps the state that it ended with.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metaflow_hera.contract import environment
from metaflow_hera.contract.kubernetes import MESSAGE_LIMIT
from metaflow_hera.metaflow_api.pod.packaged_settings import PodSettings
from metaflow_hera.metaflow_api.pod.run_store import RunStore
from metaflow_hera.metaflow_api.read.client import client_run
from metaflow_hera.runtime.forking import fork_alone
from metaflow_hera.runtime.notifications import MOST_NAMED, Ending, notify

SUCCEEDED = "Succeeded"


@dataclass(frozen=True)
class Hook:
    """A user's function, by its name in the script or its import path."""

    name: str
    script: str

    def load(self) -> Callable[..., Any]:
        """The function. Raises ImportError or AttributeError if there is none."""
        module, _, function = self.name.rpartition(".")
        if module:
            return getattr(importlib.import_module(module), function)  # type: ignore[no-any-return]
        spec = importlib.util.spec_from_file_location(Path(self.script).stem, self.script)
        if spec is None or spec.loader is None:
            raise ImportError(f"{self.script} is not a Python file")
        script = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = script
        spec.loader.exec_module(script)
        return getattr(script, self.name)  # type: ignore[no-any-return]


def run_hooks(settings: PodSettings) -> int:
    """Run the exit hooks and notifications for how the run ended. Returns 1 if any of them failed."""
    what = json.loads(os.environ[environment.HOOKS])
    outcome, ending = os.environ[environment.OUTCOME], _ending(settings)
    failures = []
    for name in what["functions"][outcome]:
        print(f"Exit hook {name} is starting.", flush=True)
        code = _forked(lambda name=name: _call(Hook(name, settings.script), ending))  # type: ignore[misc]
        if code:
            failures.append(f"exit hook {name} failed (exit code {code})")
    if what["notify"][outcome]:
        failures += notify(what["places"], ending)
    for failure in failures:
        print(failure, file=sys.stderr, flush=True)
    if failures and (path := os.environ.get(environment.MESSAGE)):
        Path(path).write_bytes("; ".join(failures).encode()[:MESSAGE_LIMIT])
    return 1 if failures else 0


def _ending(settings: PodSettings) -> Ending:
    flow, run_id, status = (
        os.environ[name] for name in (environment.FLOW_NAME, environment.RUN_ID, environment.STATUS)
    )
    failed: Sequence[tuple[str, str]] = ()
    if status != SUCCEEDED:
        store = RunStore(flow, os.environ[environment.CODE_DATASTORE], settings.datastore_root, run_id)
        try:
            failed = store.failed([step.name for step in settings.graph], MOST_NAMED)
        except Exception as error:  # a datastore may raise anything; the hooks must still run
            print(f"The failed steps are not known: {error}", file=sys.stderr, flush=True)
        store.rest()
    return Ending(flow, run_id, status, tuple(failed))


def _call(hook: Hook, ending: Ending) -> None:
    function = hook.load()
    wanted = inspect.signature(function).parameters
    takes_all = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in wanted.values())
    given: dict[str, Callable[[], Any]] = {
        "run": lambda: client_run(ending.pathspec),
        "status": lambda: ending.status,
        "failed_steps": lambda: ending.failed_steps,
    }
    function(**{name: value() for name, value in given.items() if takes_all or name in wanted})


def _forked(work: Callable[[], None]) -> int:
    """Do `work` in a process of its own and return the exit code that Python would end with."""
    pid = fork_alone()
    if pid:
        return abs(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    code = 1
    try:
        work()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
