"""Whose name of a deployment it is."""

from __future__ import annotations

import pytest

from metaflow_hera.argo.deployments import Deployed, check_same_flow, described
from metaflow_hera.errors import NameTakenError

FOUND = Deployed("myflow", "MyFlow", "ann", "myflow-0-abcd", None, {})


def test_a_flow_keeps_its_name() -> None:
    check_same_flow(FOUND, "MyFlow")


def test_another_flow_does_not_get_it() -> None:
    with pytest.raises(NameTakenError, match=r"myflow belongs to MyFlow, not to My_Flow: .*--name"):
        check_same_flow(FOUND, "My_Flow")
    with pytest.raises(NameTakenError, match=r"not to MyFlow in the project p: rename the flow"):
        check_same_flow(FOUND, "MyFlow", "p", "prod")


def test_a_template_of_no_flow_keeps_its_name_too() -> None:
    with pytest.raises(NameTakenError, match="myflow was not deployed from a flow"):
        described({"metadata": {"name": "myflow"}})
