"""`mfhera doctor` as it is called: what is on stdout, how it ends, and its run, with real pods."""

from __future__ import annotations

import json
from typing import Any

import pytest
from harness import Mfhera, refused

pytestmark = pytest.mark.embedded_only("has no roles, and may have nothing in it")


def asked(mfhera: Mfhera, *words: str, code: int = 0, **env: str) -> dict[tuple[str, str], dict[str, Any]]:
    """What it finds."""
    done = mfhera("doctor", "--json", *words, env=env)
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr == ""
    return {(each["part"], each["what"]): each for each in json.loads(done.stdout)}


def states(found: dict[tuple[str, str], dict[str, Any]]) -> set[str]:
    """The states of what was found."""
    return {each["state"] for each in found.values()}


def test_nothing_is_configured_and_nothing_is_started(own_mfhera: Mfhera) -> None:
    found = asked(own_mfhera)
    assert states(found) == {"ok", "not checked"}
    assert found["server", "reachable"]["state"] == "not checked"
    assert own_mfhera("local", "status").returncode == 1


def test_the_embedded_argo_with_a_run(own_mfhera: Mfhera) -> None:
    """The run, which starts it, leaves nothing at the server."""
    found = asked(own_mfhera, "--probe")
    assert states(found) == {"ok"}
    assert found["pods", "image"]["found"].startswith("Python 3.")
    assert found["pods", "datastore from a pod"]["state"] == "ok"
    assert [*own_mfhera.server.names()] == []


def test_what_people_read(mfhera: Mfhera) -> None:
    mfhera.start()
    lines = mfhera.ok("doctor").splitlines()
    assert "server" in lines
    assert "  ok           version: v4.1.2" in lines
    assert lines[-1].endswith(" ok")


def test_what_fails_is_the_exit_code(mfhera: Mfhera) -> None:
    mfhera.start()
    env = {
        "ARGO_SERVER": mfhera.server.url.partition("://")[2],
        "ARGO_SECURE": "false",
        "ARGO_TOKEN": "another",
    }
    found = asked(mfhera, "--probe", code=1, **env)
    assert found["server", "token"]["state"] == "failed"
    assert found["pods", "run"]["state"] == "not checked"


def test_options_that_do_not_go_together(mfhera: Mfhera) -> None:
    refused(mfhera("doctor", "--print", "rbac", "--json"), "leave out --json")
    refused(mfhera("doctor", "--print", "storage"), "--datastore s3, azure or gs")
    endless = mfhera("doctor", "--probe", "--timeout", "inf")
    assert (endless.returncode, "Invalid value for '--timeout'" in endless.stderr) == (2, True)
