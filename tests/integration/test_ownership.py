"""Who may do what: two people and one flow, production tokens, namespaces, the branches of a project."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from harness import Mfhera, refused


@pytest.fixture
def other(mfhera: Mfhera) -> Mapping[str, str]:
    """The environment of another person at the same server."""
    return {"METAFLOW_USER": "other", "METAFLOW_HOME": str(mfhera.home / "other")}


def test_two_people_fight_over_a_flow(mfhera: Mfhera, other: Mapping[str, str]) -> None:
    mfhera.take("gate_flow.py")
    create = ("create", "gate_flow.py", "--name", "fought-over")
    said = mfhera.ok(*create)
    token = said.split("--authorize ")[1].split()[0]
    assert f'namespace("production:{token}")' in said
    assert "--authorize" not in mfhera.ok(*create)  # once more by the same person: the same token
    # The other is refused and told how; what else is refused them is in tests/unit/server.
    run = mfhera.json("trigger", "--param", "gate=g", "--json")["run_id"]
    refused(mfhera(*create, env=other), "was deployed by tester", "--authorize TOKEN")
    refused(mfhera("terminate", run, env=other), "was deployed by tester", "--authorize TOKEN")
    # With the token it goes, and from then on without.
    mfhera.ok("suspend", run, "--authorize", token, env=other)
    mfhera.ok(*create, "--authorize", f"production:{token}", env=other)
    mfhera.ok(*create, env=other)
    assert deployed(mfhera, "fought-over")["owner"] == "other"
    mfhera.ok(*create)  # the first one has the token, too
    mfhera.ok("terminate", run, env=other)
    mfhera.ok("delete", "--name", "fought-over", env=other)


def test_tokens_that_are_asked_for(mfhera: Mfhera) -> None:
    mfhera.take("linear_flow.py")
    create = ("create", "linear_flow.py", "--name", "tokens", "--json")
    first = mfhera.json(*create)["namespace"]
    assert mfhera.json(*create)["namespace"] == first
    second = mfhera.json(*create, "--generate-new-token")["namespace"]
    assert second != first
    assert first.rsplit("-", 2)[0] == second.rsplit("-", 2)[0]
    run = mfhera.run("--name", "tokens")
    assert second in mfhera.read(run["pathspec"])["end"]["tags"]
    assert mfhera.json(*create, "--new-token", "production:mine")["namespace"] == "production:mine"
    assert mfhera.json(*create)["namespace"] == "production:mine"
    refused(mfhera(*create, "--generate-new-token"), "--new-token")


def test_another_class_is_another_deployment(mfhera: Mfhera) -> None:
    mfhera.take("linear_flow.py")
    first = mfhera.json("create", "linear_flow.py", "--json")
    script = mfhera.folder / "linear_flow.py"
    script.write_text(script.read_text().replace("LinearFlow", "LinearFlowStaging"))
    second = mfhera.json("create", "linear_flow.py", "--json")
    assert (first["name"], second["name"]) == ("linearflow", "linearflowstaging")
    assert first["namespace"] != second["namespace"]
    assert deployed(mfhera, "linearflow")["flow"] == "LinearFlow"


@pytest.mark.parametrize(
    ("options", "branch"),
    [
        ([], "user.tester"),
        (["--branch", "new_model"], "test.new_model"),
        (["--production"], "prod"),
        (["--branch", "new_model", "--production"], "prod.new_model"),
    ],
)
def test_branches_of_a_project(mfhera: Mfhera, options: list[str], branch: str) -> None:
    mfhera.take("project_flow.py")
    made = mfhera.json("create", "project_flow.py", *options, "--json")
    assert made["name"] == f"tested.{branch.replace('_', '')}.projectflow"
    assert made["namespace"].startswith("production:mfprj-")
    # Of the last deployment, and of the script with the branch.
    for run in (mfhera.run(), mfhera.run("project_flow.py", *options)):
        for task in mfhera.read(run["pathspec"]).values():
            assert {"project:tested", f"project_branch:{branch}", made["namespace"]} <= set(task["tags"])
        where = eval(mfhera.read(run["pathspec"])["end"]["where"])
        production = "--production" in options
        assert where == ("tested", branch, f"tested.{branch}.ProjectFlow", production, not options)


def test_a_branch_is_not_another_ones(mfhera: Mfhera) -> None:
    mfhera.take("project_flow.py")
    mfhera.ok("create", "project_flow.py", "--branch", "one")
    run = mfhera.json("trigger", "--json")["run_id"]
    done = mfhera.python("project_flow.py", "--branch", "two", "hera", "terminate", run)
    assert done.returncode == 2
    assert "belongs to the branch test.one of the project tested" in done.stderr
    refused(mfhera("trigger", "project_flow.py", "--branch", "two"), "tested.test.two.projectflow")


@pytest.mark.parametrize("branch", ["with space", "UPPER", "a/b", "$(id)", "ü", "a" * 129, "{{x}}"])
def test_names_that_are_no_branches(mfhera: Mfhera, branch: str) -> None:
    mfhera.take("project_flow.py")
    refused(mfhera("create", "project_flow.py", "--branch", branch), "ranch name")


def test_what_does_not_go_with_a_project(mfhera: Mfhera) -> None:
    mfhera.take("project_flow.py")
    refused(mfhera("create", "project_flow.py", "--name", "x"), "--branch")
    refused(mfhera("create", "project_flow.py", "--new-token", "x"), "--generate-new-token")


def test_users_of_odd_names_have_branches_of_their_own(mfhera: Mfhera) -> None:
    mfhera.take("project_flow.py")
    names = set()
    for user in ("jane.doe@example.com", "jane+doe", "Jané Doe", "j" * 100):
        env = {"METAFLOW_USER": user}
        made = mfhera.json("create", "project_flow.py", "--json", env=env)
        names.add(made["name"])
        run = mfhera.run(env=env)
        assert f"project_branch:user.{user}" in mfhera.read(run["pathspec"])["end"]["tags"]
    assert len(names) == 4


def deployed(mfhera: Mfhera, name: str) -> dict[str, str]:
    return next(each for each in mfhera.json("list", "--json") if each["name"] == name)
