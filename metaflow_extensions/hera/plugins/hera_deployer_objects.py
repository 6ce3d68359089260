"""A deployed flow and a run of it, as Metaflow's Deployer returns them.

Changes go through the command line of the flow, in the Deployer's environment and folder; reads go to Argo's
server directly.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from metaflow.client.core import get_metadata
from metaflow.exception import MetaflowException
from metaflow.runner.deployer import (
    DeployedFlow,
    Deployer,
    TriggeredRun,
    generate_fake_flow_file_contents,
)
from metaflow.runner.utils import (
    get_lower_level_group,
    handle_timeout,
    make_process_error_message,
    temporary_fifo,
)

from metaflow_hera.errors import ArgoNotFound

from .deployer_errors import whole_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from metaflow.runner.deployer_impl import DeployerImpl

    from metaflow_hera import Difference
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.deployments import Deployed
    from metaflow_hera.argo.runs import RunList
    from metaflow_hera.operations.versions import Version

ALIVE = ("Pending", "Running")
FOUND = "_hera_found_by_name"
"""The attribute of a Deployer whose script only stands for that of a flow."""
_COMMANDS = threading.Lock()
"""Held while a command is built: Metaflow changes its only description of the command line for that."""


class HeraTriggeredRun(TriggeredRun):
    """A run that was started on Argo Workflows."""

    @property
    def id(self) -> str:
        """The run's id in Metaflow."""
        return str(self.pathspec).partition("/")[2]

    @property
    def status(self) -> str | None:
        """
        Pending, Running, Succeeded or Failed.

        A run whose first task has not begun is Pending too, since Metaflow does not know it yet.
        None if Argo no longer has the run.
        """
        from metaflow_hera.argo import runs

        try:
            phase = runs.get(_client(self.deployer), self.id, steps=False).phase
        except ArgoNotFound:
            return None
        if phase == "Running" and self.run is None:
            return "Pending"
        return "Failed" if phase == "Error" else phase

    @property
    def is_running(self) -> bool:
        """Whether the run has not ended yet."""
        return self.status in ALIVE

    def wait_for_completion(self, check_interval: float = 5, timeout: float | None = None) -> None:
        """
        Wait until the run has ended, well or not. A server that is away for a while is waited for.

        Parameters
        ----------
        check_interval : float, default 5
            Seconds between two looks.
        timeout : float, optional, default None
            Seconds to wait at most. None waits for as long as it takes.

        Raises
        ------
        TimeoutError
            The run has not ended within that time.
        """
        from metaflow_hera.argo import following

        sleep = following.sleep_until(self.id, timeout)
        looks = following.follow(
            _client(self.deployer), self.id, steps=False, sleep=lambda _: sleep(check_interval)
        )
        with contextlib.suppress(ArgoNotFound):  # ended so long ago that Argo no longer has it
            for _ in looks:
                pass

    async def async_wait_for_completion(
        self, check_interval: float = 5, timeout: float | None = None
    ) -> None:
        """`wait_for_completion`, while a running event loop goes on."""
        await asyncio.to_thread(self.wait_for_completion, check_interval, timeout)

    def suspend(self, authorize: str | None = None) -> bool:
        """Start no more tasks of the run. Returns whether that was done."""
        return _call(self.deployer, "suspend", run_id=self.id, authorize=authorize)

    def unsuspend(self, authorize: str | None = None) -> bool:
        """Continue the suspended run. Returns whether that was done."""
        return _call(self.deployer, "unsuspend", run_id=self.id, authorize=authorize)

    def terminate(self, authorize: str | None = None) -> bool:
        """End the run and its tasks at once. Returns whether that was done."""
        return _call(self.deployer, "terminate", run_id=self.id, authorize=authorize)


class HeraDeployedFlow(DeployedFlow):
    """A flow that is deployed on Argo Workflows."""

    TYPE: ClassVar[str | None] = "hera"

    @property
    def id(self) -> str:
        """What `from_deployment` takes: the name of the workflow template."""
        return str(self.name)

    @property
    def workflow_template(self) -> dict[str, Any] | None:
        """What `create(only_json=True)` would have deployed; None in all other cases."""
        template: dict[str, Any] | None = getattr(self.deployer, "additional_info", {}).get(
            "workflow_template"
        )
        return template

    @property
    def production_token(self) -> str | None:
        """The production token, None if the flow is no longer deployed."""
        found = _deployed(self.deployer)
        return found.token if found else None

    @property
    def runs(self) -> RunList[HeraTriggeredRun]:
        """The runs that Argo still has, the newest first; `runs()` is the same."""
        from metaflow_hera.argo import runs

        return runs.RunList(
            _triggered(self.deployer, run.pathspec, self.name)
            for run in runs.runs(_client(self.deployer), str(self.name))
        )

    def trigger(self, **kwargs: Any) -> HeraTriggeredRun:
        """
        Start a run.

        Parameters
        ----------
        **kwargs : Any
            Values for the flow's Parameters, and other options of `hera trigger`, such as `tags`.

        Returns
        -------
        HeraTriggeredRun
            The run.

        Raises
        ------
        RuntimeError
            It was refused, or failed; the message holds what the command printed.
        """
        deployer = self.deployer
        with temporary_fifo() as (path, descriptor):
            process = _start(deployer, "trigger", deployer_attribute_file=path, **kwargs)
            with whole_message(deployer.spm):
                content = handle_timeout(descriptor, process, deployer.file_read_timeout)
            process.sync_wait()
        if process.process.returncode != 0:
            raise RuntimeError(f"Error triggering {self.name} on {self.TYPE} for {deployer.flow_file}")
        return HeraTriggeredRun(deployer=deployer, content=content)

    async def async_trigger(self, **kwargs: Any) -> HeraTriggeredRun:
        """`trigger`, while a running event loop goes on."""
        return await asyncio.to_thread(self.trigger, **kwargs)

    def diff(self, **kwargs: Any) -> Difference:
        """
        Show what deploying the flow again, as it is now, would change. Nothing is deployed or stored.

        Parameters
        ----------
        **kwargs : Any
            The options of `create` with which it would be deployed.

        Returns
        -------
        Difference
            What differs; false if nothing does.

        Raises
        ------
        RuntimeError
            It was refused, or failed; the message holds what the command printed.
        MetaflowException
            The flow's script is not known here: the deployment was found by its name.
        """
        if getattr(self.deployer, FOUND, False):
            raise MetaflowException(
                f"{self.name} was found by its name: use Deployer(FILE).hera().diff() with its script."
            )
        return difference(self.deployer, **kwargs)

    @property
    def versions(self) -> RunList[Version]:
        """The versions that were deployed so far, the newest first; `versions()` is the same."""
        from metaflow_hera.argo import runs
        from metaflow_hera.operations.versions import versions_of

        return runs.RunList(versions_of(_client(self.deployer), str(self.name)).versions)

    def rollback(
        self, to: int | None = None, message: str | None = None, authorize: str | None = None
    ) -> bool:
        """
        Make an earlier version live again, manifest and code package as they were. Runs go on with theirs.

        Parameters
        ----------
        to : int, optional, default None
            The number of the version. None is the one before the live version.
        message : str, optional, default None
            A note on why, which `versions` has.
        authorize : str, optional, default None
            The production token, if somebody else deployed it.

        Returns
        -------
        bool
            Whether that was done.
        """
        return _call(self.deployer, "rollback", to=to, message=message, authorize=authorize)

    def backfill(
        self, begin: str, end: str | None = None, parameters: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> list[HeraTriggeredRun]:
        """
        Start the runs that a schedule missed, and wait until all have ended.

        A time that has a run is skipped. If it is interrupted, the same call continues.

        Parameters
        ----------
        begin : str
            The first time: a date, or a date with a time. Without a zone, it is in the schedule's.
        end : str, optional, default None
            The last time; a date includes the whole day. None means now.
        parameters : Mapping[str, Any], optional, default None
            Values for the flow's Parameters. In texts `{{date}}`, `{{datetime}}` and `{{next}}` are the
            scheduled time and the one after it.
        **kwargs : Any
            Other options of `hera backfill`, such as `cron`, `parallel` and `newest_first`.

        Returns
        -------
        list[HeraTriggeredRun]
            The runs for these times, in the order in which they are started; with `dry_run=True` those that
            there are already.

        Raises
        ------
        RuntimeError
            It was refused, or a run failed; the message holds what the command printed.
        """
        deployer = self.deployer
        values = (parameters or {}).items()
        params = [
            f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in values
        ]
        given = {"begin": begin, "end": end, "params": params or None, **kwargs}
        options = {name: value for name, value in given.items() if value is not None}
        with tempfile.TemporaryDirectory(prefix="mfhera-") as folder:
            file = Path(folder, "runs.json")
            process = _start(deployer, "backfill", deployer_attribute_file=str(file), **options)
            process.sync_wait()
            if process.process.returncode != 0:
                raise RuntimeError(make_process_error_message(process))
            pathspecs = json.loads(file.read_text(encoding="utf-8"))["runs"]
        return [_triggered(deployer, pathspec, str(self.name)) for pathspec in pathspecs]

    def delete(self, authorize: str | None = None) -> bool:
        """Remove the deployment; runs and results stay. Returns whether that was done."""
        return _call(self.deployer, "delete", authorize=authorize)

    @classmethod
    def list_deployed_flows(cls, flow_name: str | None = None) -> Iterator[HeraDeployedFlow]:
        """What is deployed, all of it or only that of one flow."""
        from metaflow_hera.argo import deployments

        for found in deployments.deployed(_client(None)):
            if flow_name in (None, found.flow):
                yield cls(deployer=_deployer_of(found, None))

    @classmethod
    def from_deployment(cls, identifier: str, metadata: str | None = None) -> HeraDeployedFlow:
        """
        What is deployed under a name, whoever deployed it, and from any folder.

        Parameters
        ----------
        identifier : str
            The name of the workflow template.
        metadata : str, optional, default None
            Where the metadata of the runs is; by default where this process reads it.

        Raises
        ------
        MetaflowException
            Nothing is deployed under that name.
        """
        from metaflow_hera.argo import deployments

        found = deployments.find(_client(None), identifier)
        if found is None:
            raise MetaflowException(f"No deployed flow found for: {identifier}")
        return cls(deployer=_deployer_of(found, metadata))

    @classmethod
    def get_triggered_run(cls, identifier: str, run_id: str, metadata: str | None = None) -> HeraTriggeredRun:
        """A run of what is deployed under a name, by its id in Metaflow."""
        deployer = cls.from_deployment(identifier, metadata).deployer
        return _triggered(deployer, f"{deployer.flow_name}/{run_id}", run_id)


def _deployer_of(found: Deployed, metadata: str | None) -> DeployerImpl:
    """A Deployer for a deployment without its script: one with the same Parameters takes its place."""
    described = {
        name: {**about, "description": _within_quotes(about.get("description") or "")}
        for name, about in found.parameters.items()
    }
    script = generate_fake_flow_file_contents(found.flow, described, found.project)
    kind, _, rest = (found.branch or "").partition(".")
    options: dict[str, Any] = {}
    if kind == "prod":
        options["production"] = True
    if kind in ("prod", "test") and rest:
        options["branch"] = rest
    if kind == "user":  # a branch that depends on the user
        options["env"] = {"METAFLOW_USER": rest}
    file = Path(tempfile.mkdtemp(prefix="mfhera-"), f"{found.flow.lower()}.py")
    atexit.register(shutil.rmtree, file.parent, ignore_errors=True)
    file.write_text(script, encoding="utf-8")
    deployer = Deployer(str(file), **options)
    impl = deployer.hera() if found.project else deployer.hera(name=found.name)
    impl.name, impl.flow_name = found.name, found.flow
    impl.metadata = metadata or get_metadata()
    setattr(impl, FOUND, True)
    return impl


def difference(deployer: DeployerImpl, **options: Any) -> Difference:
    """What the verb `diff` tells. Raises RuntimeError if it is refused or fails."""
    from metaflow_hera.comparison.records import difference_from_json

    with temporary_fifo() as (path, descriptor):
        process = _start(deployer, "diff", deployer_attribute_file=path, **options)
        with whole_message(deployer.spm):
            content = handle_timeout(descriptor, process, deployer.file_read_timeout)
        process.sync_wait()
    return difference_from_json(json.loads(content))


def _within_quotes(text: str) -> str:
    """A text that means the same between the three quotes that Metaflow puts around it."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _triggered(deployer: DeployerImpl, pathspec: str, name: str) -> HeraTriggeredRun:
    content = {"metadata": deployer.metadata, "pathspec": pathspec, "name": name}
    return HeraTriggeredRun(deployer=deployer, content=json.dumps(content))


def _deployed(deployer: DeployerImpl) -> Deployed | None:
    from metaflow_hera.argo import deployments

    return deployments.find(_client(deployer), deployer.name)


def _client(deployer: DeployerImpl | None) -> ArgoClient:
    """A client of the server that a Deployer's environment names."""
    from metaflow_hera.argo.client import ArgoClient
    from metaflow_hera.argo.target import resolve_target

    return ArgoClient(resolve_target(start=False, env=deployer.env_vars if deployer else os.environ))


def _start(deployer: DeployerImpl, verb: str, **options: Any) -> Any:
    """Start a verb of the flow's command line, in the Deployer's environment and folder."""
    with _COMMANDS:
        group = get_lower_level_group(
            deployer.api, deployer.top_level_kwargs, deployer.TYPE, deployer.deployer_kwargs
        )
        command = getattr(group, verb)(**options)
    pid = deployer.spm.run_command(
        [sys.executable, *command],
        env=deployer.env_vars,
        cwd=deployer.cwd,
        show_output=deployer.show_output,
    )
    return deployer.spm.get(pid)


def _call(deployer: DeployerImpl, verb: str, **options: Any) -> bool:
    """Run a verb to its end and return whether it went well."""
    given = {name: value for name, value in options.items() if value is not None}
    process = _start(deployer, verb, **given)
    process.sync_wait()
    return bool(process.process.returncode == 0)
