"""Who may call the server, and what of it others on this machine can read."""

from __future__ import annotations

import stat

import httpx
import pytest
from harness import PLAIN

from .conftest import Argo

UNAUTHENTICATED = {
    "code": 16,
    "message": "token not valid. see https://argo-workflows.readthedocs.io/en/latest/faq/",
}


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", "wrong", "Basic dXNlcjpwYXNz"])
@pytest.mark.parametrize("path", ["/api/v1/version", "/api/v1/workflows/argo", "/", "/nope"])
def test_without_the_token_nothing_is_answered(argo: Argo, path: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = httpx.get(argo.server.url + path, headers=headers, **PLAIN)
    assert (answer.status_code, answer.json()) == (401, UNAUTHENTICATED)


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "{}"])
def test_the_token_is_taken_with_and_without_bearer(argo: Argo, form: str) -> None:
    headers = {"Authorization": form.format(argo.server.token)}
    assert httpx.get(argo.server.url + "/api/v1/version", headers=headers, **PLAIN).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "0.0.0.0", ""])
def test_another_host_is_refused(argo: Argo, host: str) -> None:
    answer = argo.http.get("/version", headers={"Host": host})
    assert answer.status_code == 403


def test_localhost_is_this_host(argo: Argo) -> None:
    port = argo.server.url.rsplit(":", 1)[1]
    assert argo.http.get("/version", headers={"Host": f"localhost:{port}"}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1"])
def test_another_origin_is_refused(argo: Argo, origin: str) -> None:
    assert argo.http.get("/version", headers={"Origin": origin}).status_code == 403


def test_its_own_origin_is_taken(argo: Argo) -> None:
    assert argo.http.get("/version", headers={"Origin": argo.server.url}).status_code == 200


def test_state_is_the_users_own(argo: Argo) -> None:
    assert stat.S_IMODE(argo.home.stat().st_mode) == 0o700
    for name in ("token", "server.json", "argo.db", "server.log", "server.lock"):
        assert stat.S_IMODE((argo.home / name).stat().st_mode) & 0o077 == 0, name


def test_it_listens_on_this_machine_only(argo: Argo) -> None:
    assert argo.server.url.startswith("http://127.0.0.1:")
