"""A run in the Python interface: its state, its logs, and what can be done to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from metaflow_hera.argo import following, runs
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.progress import StepProgress
from metaflow_hera.argo.run import UNKNOWN_FLOW
from metaflow_hera.argo.run import Run as ArgoRun
from metaflow_hera.argo.run_names import workflow_name
from metaflow_hera.argo.target import resolve_target
from metaflow_hera.contract import manifest
from metaflow_hera.display import views
from metaflow_hera.display.graphs import graph_svg
from metaflow_hera.errors import RunFailed
from metaflow_hera.interface.cells import notebook_shell
from metaflow_hera.metaflow_api.read.client import client_run
from metaflow_hera.operations import control
from metaflow_hera.operations.logs import Line, Wanted, lines
from metaflow_hera.operations.logs import follow as follow_lines


class Run:
    """A run of a deployed flow, by its id in Metaflow (`argo-...`). Each property asks the server again."""

    def __init__(self, run_id: str, client: ArgoClient | None = None) -> None:
        self._client = client or ArgoClient(resolve_target(start=False))
        self._named = run_id  # perhaps with the name of its flow, which is then checked
        self._run_id = manifest.run_id(workflow_name(run_id))
        self._pathspec: str | None = None

    @property
    def id(self) -> str:
        """The run's id in Metaflow."""
        return self._run_id

    @property
    def pathspec(self) -> str:
        """The run's pathspec in Metaflow."""
        if self._pathspec is None:
            found = self._look(steps=False)
            if found.flow == UNKNOWN_FLOW:  # Argo will know it in a moment
                return found.pathspec
            self._pathspec = found.pathspec
        return self._pathspec

    @property
    def status(self) -> str:
        """Pending, Running, Succeeded, Failed or Error. Raises ArgoNotFound if Argo no longer has it."""
        return self._look(steps=False).phase

    @property
    def version(self) -> int | None:
        """The version of the deployment that it runs, None if that has no number."""
        return self._look(steps=False).version

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return not self._look(steps=False).ended

    @property
    def steps(self) -> Sequence[StepProgress]:
        """The steps with their tasks so far."""
        return self._look(steps=True).steps

    @property
    def run(self) -> Any:
        """The run of Metaflow's Client API, with its artifacts; None until its first task has started."""
        return client_run(self.pathspec)

    def wait(self, timeout: float | None = None) -> None:
        """Wait until it has ended; a notebook shows its tree meanwhile.

        Args:
            timeout: seconds to wait at most.

        Raises:
            RunFailed: it did not end well; the message says why.
            TimeoutError: it has not ended within that time, and goes on.
        """
        sleep = following.sleep_until(self.id, timeout)
        show = _display()
        for look in following.follow(self._client, self._named, steps=show is not None, sleep=sleep):
            if show is not None:
                show(look)
            if look.ended and not look.succeeded:
                raise RunFailed(self._look(steps=True).verdict)

    def suspend(self, authorize: str | None = None) -> None:
        """Start no more of its tasks until `resume`.

        Raises UsageError if it has ended, NotYoursError if it is not this user's.
        """
        self._act("suspend", authorize)

    def resume(self, authorize: str | None = None) -> None:
        """Continue it. Raises UsageError if it is not suspended, NotYoursError if it is not this user's."""
        self._act("resume", authorize)

    def retry(self, authorize: str | None = None) -> None:
        """Continue it from where it failed.

        Raises UsageError if it has not failed, NotYoursError if it is not this user's.
        """
        control.retry(self._client, self._named, authorize)

    def resubmit(self, authorize: str | None = None) -> Run:
        """Start a new run with its parameters, of what is deployed now.

        Raises NotFoundError if its deployment is gone, NameTakenError if that belongs to another flow now,
        NotYoursError if it is not this user's.
        """
        return Run(control.resubmit(self._client, self._named, authorize).run_id, self._client)

    def logs(
        self, place: str | None = None, *, follow: bool = False, all_lines: bool = False
    ) -> Iterator[Line]:
        """The lines that its tasks printed, or those of `STEP` or `STEP/TASK`; with `follow`, until it ends.

        With `all_lines` also what Argo's executor and the tasks' pods wrote of themselves.

        Raises NotFoundError if there is no such step or task.
        """
        wanted = Wanted.parse(self.pathspec, place, all_lines=all_lines)
        return follow_lines(self._client, wanted) if follow else lines(self._client, wanted)

    def stop(self, authorize: str | None = None) -> None:
        """End it; its exit hooks still run.

        Raises UsageError if it has ended, NotYoursError if it is not this user's.
        """
        self._act("stop", authorize)

    def terminate(self, authorize: str | None = None) -> None:
        """End it and its tasks at once.

        Raises UsageError if it has ended, NotYoursError if it is not this user's.
        """
        self._act("terminate", authorize)

    def _act(self, action: control.Action, authorize: str | None) -> None:
        control.act(self._client, self._named, action, authorize)

    def _look(self, *, steps: bool) -> ArgoRun:
        return runs.get(self._client, self._named, steps=steps)

    def __repr__(self) -> str:
        return f"Run({self.id!r})"

    def __str__(self) -> str:
        return views.as_text(self.__rich__())

    def _repr_html_(self) -> str:
        return _View(self._look(steps=True))._repr_html_()

    def __rich__(self) -> Any:
        return views.run_tree(self._look(steps=True))


def _display() -> Callable[[Any], None] | None:
    """A function that shows a run in a notebook, in place of what it showed before; None elsewhere."""
    shell = notebook_shell()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    from IPython.display import display

    handle = display(_View(None), display_id=True)
    return lambda run: handle.update(_View(run))


class _View:
    """A run as a notebook shows it: the graph of its flow above its tree. Nothing as long as it is None."""

    def __init__(self, run: ArgoRun | None) -> None:
        self._run = run

    def __repr__(self) -> str:
        return "" if self._run is None else views.as_text(views.run_tree(self._run))

    def _repr_html_(self) -> str:
        if self._run is None:
            return ""
        graph = graph_svg(self._run)
        return (f'<div style="overflow-x:auto">{graph}</div>' if graph else "") + views.as_html(
            views.run_tree(self._run)
        )
