"""Names of deployments, templates and tasks."""

from __future__ import annotations

import re
from random import Random
from types import SimpleNamespace

import pytest
from metaflow import current
from metaflow.plugins.argo.argo_workflows_cli import resolve_workflow_name_v2

from metaflow_hera.contract.kubernetes import SUBDOMAIN, is_label_value
from metaflow_hera.errors import OptionError
from metaflow_hera.translation.names import (
    DEPLOYMENT_LIMIT,
    LONGEST_NAME,
    Names,
    deployment_name,
    token_prefix,
)

DNS = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        ("ParameterFlow", "parameterflow"),
        ("My_Flow", "myflow"),
        ("_Hidden", "hidden"),
        ("__A_b_C__", "abc"),
        ("F2", "f2"),
    ],
)
def test_a_deployment_is_called_as_by_metaflows_own_plugin(flow: str, expected: str) -> None:
    assert deployment_name(flow) == expected


def test_a_project_and_its_branch_are_part_of_the_name() -> None:
    assert deployment_name("F", project="proj", branch="user.me") == "proj.user.me.f"


def test_names_in_a_project_are_those_of_metaflows_own_plugin() -> None:
    random = Random(7)

    def text(letters: str, most: int) -> str:
        return "".join(random.choices(letters, k=random.randint(1, most)))

    for _ in range(500):
        kind = random.choice(["prod", "prod.", "test.", "user."])
        project, flow = text("abc_09", 40), f"F{text('abXY_0', 60)}"
        branch = kind + (text("abc_0-.@+", 60) if kind.endswith(".") else "")
        current._update_env(
            {
                "project_name": project,
                "branch_name": branch,
                "project_flow_name": f"{project}.{branch}.{flow}",
            }
        )
        current._flow_name = flow
        theirs = resolve_workflow_name_v2(SimpleNamespace(), None)[0]
        ours = deployment_name(flow, project=project, branch=branch)
        assert DNS.fullmatch(ours)
        assert len(ours) <= LONGEST_NAME
        if SUBDOMAIN.fullmatch(theirs):  # where it is not, Kubernetes refuses it
            assert ours == theirs


def test_long_names_are_cut_and_differ() -> None:
    one, other = (deployment_name("F" + "x" * 200 + end) for end in "ab")
    assert one != other
    for name in (one, other):
        assert len(name) <= DEPLOYMENT_LIMIT
        assert DNS.fullmatch(name)
    assert one == deployment_name("F" + "x" * 200 + "a")


@pytest.mark.parametrize("flow", ["_", "__", "Ünï", "Ω", "F_", "_1", "_" * 60])
def test_names_without_a_legal_letter_still_get_one(flow: str) -> None:
    assert DNS.fullmatch(deployment_name(flow))


@pytest.mark.parametrize(
    "given", ["", "A", "a_b", "-a", "a-", "1a", "a b", "a" * (DEPLOYMENT_LIMIT + 1), "a\n"]
)
def test_a_given_name_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(OptionError, match="--name"):
        deployment_name("Flow", given)


def test_a_given_name_does_not_go_with_a_project() -> None:
    with pytest.raises(OptionError, match="@project"):
        deployment_name("Flow", "name", "p", "user.x")


def test_token_prefixes_tell_branches_apart() -> None:
    assert token_prefix("MyFlow", "myflow", None, None) == "myflow"
    one = token_prefix("MyFlow", "p.user.a.myflow", "p", "user.a")
    assert one.startswith("mfprj-")
    assert one != token_prefix("MyFlow", "p.user.b.myflow", "p", "user.b")


def test_names_are_never_given_twice() -> None:
    names = Names()
    given = [names.give(wanted) for wanted in ("a", "a", "A", "a_b", "a-b", "a-2", "a")]
    assert len({name.lower() for name in given}) == len(given)
    assert given[0] == "a"


@pytest.mark.parametrize("wanted", ["_", "__x__", "_x", "x_", "in_", "ä", "", "x" * 300])
def test_names_are_legal_in_argo(wanted: str) -> None:
    name = Names().give(wanted)
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", name)
    assert len(name) <= 128


def test_long_names_that_clash_stay_legal() -> None:
    names = Names()
    given = {names.give("x" * 300) for _ in range(12)}
    assert len(given) == 12
    assert max(map(len, given)) <= 128


@pytest.mark.parametrize(
    "word",
    [
        "matches",
        "contains",
        "let",
        "nil",
        "true",
        "false",
        "in",
        "not",
        "and",
        "or",
        "startsWith",
        "endsWith",
    ],
)
def test_words_of_argos_expressions_are_renamed(word: str) -> None:
    names = Names()
    name = names.give(word)
    assert name != word
    assert names.give(name) != name


def test_an_underscore_does_not_hide_a_word() -> None:
    assert Names().give("in_") != "in"
    assert Names().give("_matches") != "matches"


@pytest.mark.parametrize(
    ("text", "legal"),
    [
        ("", True),
        ("a", True),
        ("a.b-c_D", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("-a", False),
        ("ü", False),
        ("a b", False),
        ("a\n", False),
    ],
)
def test_label_values(text: str, legal: bool) -> None:
    assert is_label_value(text) is legal
