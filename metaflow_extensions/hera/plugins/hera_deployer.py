"""`Deployer(flow).hera()`: deploys through the command line of the flow, as Metaflow's other deployers do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from metaflow.runner.deployer_impl import DeployerImpl

from .deployer_errors import whole_message

if TYPE_CHECKING:
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

    def create(self, **kwargs: Any) -> HeraDeployedFlow:
        """
        Deploy a new version of the flow.

        Parameters
        ----------
        authorize : str, optional, default None
            The production token of a flow that somebody else deployed.
        generate_new_token : bool, optional, default False
            Begin a new production namespace.
        given_token : str, optional, default None
            Begin the production namespace of this token.
        tags : List[str], optional, default None
            Tags for all that the runs make.
        user_namespace : str, optional, default None
            Namespace to read other flows' results from.
        only_json : bool, optional, default False
            Deploy nothing; `workflow_template` of the result is what would be deployed.
        max_workers : int, optional, default 100
            How many tasks of a foreach may run at once, for each foreach step.
        workflow_timeout : int, optional, default None
            Seconds after which a run is ended.
        workflow_priority : int, optional, default None
            Runs of a higher priority go first.
        workflow_title : str, optional, default None
            Title in Argo's page.
        workflow_description : str, optional, default None
            Description in Argo's page.

        Returns
        -------
        HeraDeployedFlow
            The deployed flow.

        Raises
        ------
        RuntimeError
            It was refused, or failed; the message holds what the command said.
        """
        with whole_message(self.spm):
            return self._create(self.deployed_flow_type(), **kwargs)

    async def async_create(self, **kwargs: Any) -> HeraDeployedFlow:
        """`create`, while a running event loop goes on."""
        return await asyncio.to_thread(self.create, **kwargs)

    @classmethod
    def from_deployment(cls, identifier: str, metadata: str | None = None) -> HeraDeployedFlow:
        """What is deployed under a name; see `HeraDeployedFlow.from_deployment`."""
        return cls.deployed_flow_type().from_deployment(identifier, metadata)


_addl_stubgen_modules = ["metaflow_extensions.hera.plugins.hera_deployer_objects"]
