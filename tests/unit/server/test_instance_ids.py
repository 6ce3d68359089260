"""Instance ids: several controllers in a cluster, each of which sees only the objects that are for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from exports import export
from test_states import cluster
from twin import Twin
from wrong import says

from metaflow_hera.argo import deployments
from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.target import configured_target
from metaflow_hera.contract.manifest import INSTANCE
from metaflow_hera.errors import ArgoError, UsageError
from metaflow_hera.operations.exports import create_from


class TestInstanceIds:
    """Argo's server gives its instance id to what goes through it; what a sensor makes does not."""

    def server_of(self, twin: Twin, instance: str) -> ArgoClient:
        """A client of a server with an instance id, as that answers to a new template."""

        def answers(method: str, path: str, ask: Callable[[], Any]) -> Any:
            if method != "POST" or "workflow-templates" not in path:
                return None
            found = ask()
            found["metadata"]["labels"][INSTANCE] = instance
            return found

        return cluster(twin, answers)

    def test_a_sensor_of_another_instance_id_is_not_left_there(self, twin: Twin) -> None:
        with pytest.raises(UsageError, match=r"instance id team, .* set ARGO_INSTANCEID=team\. All .* back"):
            create_from(export("event"), self.server_of(twin, "team"), None)
        assert twin.stored() == []

    def test_without_a_sensor_nothing_depends_on_it(self, twin: Twin) -> None:
        create_from(export("linear"), self.server_of(twin, "team"), None)
        assert len(twin.stored()) == 1

    def test_an_export_for_the_same_instance_id(self, twin: Twin) -> None:
        objects = export("event")
        for item in objects:
            item["metadata"]["labels"][INSTANCE] = "team"
        create_from(objects, self.server_of(twin, "team"), None)
        assert {kind for kind, _, _ in twin.stored()} == {"workflow-templates", "sensors"}

    def test_an_object_of_another_instance_id(self, twin: Twin) -> None:
        said = {"code": 3, "message": "'linearflow' is not managed by the current Argo Server"}
        other = cluster(twin, lambda *_: says(400, said))
        with pytest.raises(ArgoError, match=r"another instance id of Argo: is ARGO_INSTANCEID that of"):
            deployments.existing(other, "linearflow")

    def test_its_variable_is_that_of_argos_command_line(self) -> None:
        for env, instance in (
            ({"ARGO_INSTANCEID": "team"}, "team"),
            ({"ARGO_INSTANCEID": ""}, None),
            ({}, None),
        ):
            found = configured_target({"ARGO_SERVER": "argo:1", "ARGO_NAMESPACE": "a", **env})
            assert found is not None
            assert found.instance == instance
