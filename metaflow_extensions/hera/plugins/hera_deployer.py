"""`Deployer(flow).hera()`: deploys through the command line of the flow, as Metaflow's other deployers do."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any, ClassVar

from metaflow.runner.deployer_impl import DeployerImpl

from .deployer_errors import whole_message

if TYPE_CHECKING:
    from metaflow_hera import Difference

    from .hera_deployer_objects import HeraDeployedFlow


class HeraDeployer(DeployerImpl):
    """
    Deployer implementation for Argo Workflows through Hera, and for the embedded Argo.

    Parameters
    ----------
    name : str, optional, default None
        Name of the deployment. The flow's name is used if this is not given.
    """

    TYPE: ClassVar[str | None] = "hera"

    def __init__(self, deployer_kwargs: dict[str, str], **kwargs: Any) -> None:
        self._deployer_kwargs = deployer_kwargs
        _note_options()
        super().__init__(**kwargs)

    @property
    def deployer_kwargs(self) -> dict[str, Any]:
        """The options of `hera` itself, before its verb."""
        return self._deployer_kwargs

    @staticmethod
    def deployed_flow_type() -> type[HeraDeployedFlow]:
        """What `create` returns."""
        from .hera_deployer_objects import HeraDeployedFlow

        return HeraDeployedFlow

    def create(self, *, only_json: bool = False, **kwargs: Any) -> HeraDeployedFlow:
        """
        Deploy a new version of the flow.

        Parameters
        ----------
        only_json : bool, optional, default False
            Deploy nothing; `workflow_template` of the result is what would be deployed.
        options: those of docs/reference/options.md, by their names in Python.

        Returns
        -------
        HeraDeployedFlow
            The deployed flow.

        Raises
        ------
        RuntimeError
            It was refused, or failed; the message holds what the command printed.
        """
        with whole_message(self.spm):
            return self._create(self.deployed_flow_type(), only_json=only_json, **kwargs)

    async def async_create(self, **kwargs: Any) -> HeraDeployedFlow:
        """`create`, while a running event loop goes on."""
        return await asyncio.to_thread(self.create, **kwargs)

    def diff(self, **kwargs: Any) -> Difference:
        """
        Show what `create` would change. Nothing is deployed or stored.

        Parameters
        ----------
        options: those of docs/reference/options.md, by their names in Python.

        Returns
        -------
        Difference
            What differs; false if nothing does.

        Raises
        ------
        RuntimeError
            It was refused, or failed; the message holds what the command printed.
        """
        from .hera_deployer_objects import difference

        return difference(self, **kwargs)

    @classmethod
    def from_deployment(cls, identifier: str, metadata: str | None = None) -> HeraDeployedFlow:
        """What is deployed under a name; see `HeraDeployedFlow.from_deployment`."""
        return cls.deployed_flow_type().from_deployment(identifier, metadata)


@functools.cache
def _note_options() -> None:
    """Let `help` show the options of `create`. Not on import: Metaflow imports this module in each pod."""
    from metaflow_hera.choices.deployment import CreateOptions
    from metaflow_hera.choices.option import Option, options_of
    from metaflow_hera.choices.signature import note_options

    def line(option: Option) -> str:
        default = None if option.default == () else option.default
        return f"{option.name} : {option.type_name}, optional, default {default}\n    {option.help}"

    options = [option for option in options_of(CreateOptions) if option.name != "name"]
    note_options(HeraDeployer.create, options, line)
    note_options(HeraDeployer.diff, options, line)


_addl_stubgen_modules = ["metaflow_extensions.hera.plugins.hera_deployer_objects"]
