"""Where ARGO_SERVER and its companions point."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import trustme

from metaflow_hera.argo.target import configured_target, embedded_namespace, resolve_target, without_password
from metaflow_hera.errors import ConfigurationError, LocalServerError
from metaflow_hera.metaflow_api.light.configuration import sensor_namespace


def target(**env: str):
    """The target that variables make, in the namespace `team`."""
    return configured_target({"ARGO_NAMESPACE": "team", **env})


@pytest.mark.parametrize(
    ("env", "host"),
    [
        ({"ARGO_SERVER": "argo:2746"}, "https://argo:2746/"),
        ({"ARGO_SERVER": " argo:2746 "}, "https://argo:2746/"),
        ({"ARGO_SERVER": "argo"}, "https://argo/"),
        ({"ARGO_SERVER": "argo:2746", "ARGO_SECURE": "false"}, "http://argo:2746/"),
        ({"ARGO_SERVER": "argo:2746", "ARGO_SECURE": "0"}, "http://argo:2746/"),
        ({"ARGO_SERVER": "argo:2746", "ARGO_SECURE": "TRUE"}, "https://argo:2746/"),
        ({"ARGO_SERVER": "argo:2746", "ARGO_SECURE": ""}, "https://argo:2746/"),
        ({"ARGO_SERVER": "argo:2746", "ARGO_SECURE": "maybe"}, "https://argo:2746/"),
        ({"ARGO_SERVER": "http://argo:2746"}, "http://argo:2746/"),
        ({"ARGO_SERVER": "https://argo/base/"}, "https://argo/base/"),
        ({"ARGO_SERVER": "argo:1", "ARGO_BASE_HREF": "/base/"}, "https://argo:1/base/"),
        ({"ARGO_SERVER": "argo:1", "ARGO_BASE_HREF": "/"}, "https://argo:1/"),
        ({"ARGO_SERVER": "argo:1/a", "ARGO_BASE_HREF": "b"}, "https://argo:1/a/b/"),
        ({"ARGO_SERVER": "[::1]:2746"}, "https://[::1]:2746/"),
    ],
)
def test_forms_of_the_address(env: dict[str, str], host: str) -> None:
    found = target(**env)
    assert found is not None
    assert (found.host, found.namespace, found.embedded) == (host, "team", False)


@pytest.mark.parametrize("value", ["", "  "])
def test_without_an_address_it_is_the_embedded_argo(value: str) -> None:
    assert target(ARGO_SERVER=value) is None


@pytest.mark.parametrize(
    "value", ["argo:port", "argo:99999", "ftp://argo", "https://", "://", "http://:80", "http://[::1"]
)
def test_what_is_no_address(value: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"ARGO_SERVER is {value!r}")):
        target(ARGO_SERVER=value)


@pytest.mark.parametrize("name", ["a b", "Team", "a.b", "-a", "a\nb", " ", "ü", "x" * 64, "a: b"])
def test_what_is_no_namespace(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for ask in (
        lambda: target(ARGO_SERVER="argo:1", ARGO_NAMESPACE=name),
        lambda: embedded_namespace({"ARGO_NAMESPACE": name}),
    ):
        with pytest.raises(ConfigurationError, match=re.escape(f"ARGO_NAMESPACE is {name!r}, which cannot")):
            ask()
    monkeypatch.setattr("metaflow.metaflow_config.KUBERNETES_NAMESPACE", name)
    with pytest.raises(ConfigurationError, match="METAFLOW_KUBERNETES_NAMESPACE is "):
        target(ARGO_SERVER="argo:1", ARGO_NAMESPACE="")
    monkeypatch.setattr("metaflow.metaflow_config.ARGO_EVENTS_SENSOR_NAMESPACE", f"{name}?")
    with pytest.raises(ConfigurationError, match="METAFLOW_ARGO_EVENTS_SENSOR_NAMESPACE is "):
        sensor_namespace()


def test_the_token_is_kept_and_never_shown() -> None:
    found = target(ARGO_SERVER="argo:1", ARGO_TOKEN="Bearer secret")
    assert found is not None
    assert found.token == "Bearer secret"
    assert "secret" not in str(found)
    without = target(ARGO_SERVER="argo:1", ARGO_TOKEN="")
    assert without is not None
    assert without.token is None


@pytest.mark.parametrize("token", ["", " ", "\n", "\t \n"])
def test_a_token_of_nothing_is_none(token: str) -> None:
    found = target(ARGO_SERVER="argo:1", ARGO_TOKEN=token)
    assert found is not None
    assert found.token is None


@pytest.mark.parametrize(
    ("token", "why"),
    [
        ("Bearer", "with no token after it"),
        ("Bearer \n", "with no token after it"),
        ("basic ", "with no token after it"),
        ("t\u00f6k", "characters"),
        ("a\x00b", "characters"),
        ("\udcff", "characters"),
    ],
)
def test_what_is_no_token(token: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=f"ARGO_TOKEN .*{why}"):
        target(ARGO_SERVER="argo:1", ARGO_TOKEN=token)


@pytest.mark.parametrize("server", ["https://me:p%40ss@argo:1", "me:p%40ss@argo:1"])
def test_a_password_in_the_address_is_sent_and_never_shown(server: str) -> None:
    found = target(ARGO_SERVER=server)
    assert found is not None
    assert (found.host, found.token) == ("https://argo:1/", "Basic bWU6cEBzcw==")
    with pytest.raises(ConfigurationError, match=r"ARGO_SERVER is '[^']*\.\.\.@argo:port'") as told:
        target(ARGO_SERVER=server.replace(":1", ":port"))
    assert "p%40ss" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:pass@argo/a", "https://...@argo/a"),
        ("me:pass@argo:2746", "...@argo:2746"),
        ("s3://bucket/a@b", "s3://bucket/a@b"),
        ("python:3.12@sha256:ab", "python:3.12@sha256:ab"),
    ],
)
def test_what_is_shown_of_an_address(text: str, shown: str) -> None:
    assert without_password(text) == shown


def test_how_the_certificate_is_checked(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))

    def verify(**env: str) -> bool | str:
        found = target(ARGO_SERVER="argo:1", **env)
        assert found is not None
        return found.verify

    assert verify() is True
    assert verify(ARGO_INSECURE_SKIP_VERIFY="true") is False
    assert verify(ARGO_CA_CERT=str(authority)) == str(authority)
    with pytest.raises(ConfigurationError, match=r"ARGO_CA_CERT names .*absent"):
        verify(ARGO_CA_CERT=str(tmp_path / "absent"))
    for content in (b"", b"no certificate", b"\xff\xfe"):
        authority.write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"No certificate can be read from .*ca.pem"):
            verify(ARGO_CA_CERT=str(authority))
        assert verify(ARGO_CA_CERT=str(authority), ARGO_INSECURE_SKIP_VERIFY="true") is False
        assert verify(ARGO_CA_CERT=str(authority), ARGO_SECURE="false")  # which nothing is checked with


POD = {"METAFLOW_HERA_PATH": "", "ARGO_WORKFLOW_NAMESPACE": "team"}


def test_a_pod_of_a_cluster_has_to_be_told_its_server() -> None:
    for start in (False, True):
        with pytest.raises(ConfigurationError, match=r"ARGO_SERVER.*ARGO_TOKEN.*@secrets"):
            resolve_target(start=start, env=POD)
    found = resolve_target(start=True, env={**POD, "ARGO_SERVER": "argo:1", "ARGO_NAMESPACE": "other"})
    assert (found.host, found.namespace) == ("https://argo:1/", "other")


def test_a_pod_does_not_start_an_embedded_argo_that_was_stopped(tmp_path: Path) -> None:
    with pytest.raises(LocalServerError, match="not running"):
        resolve_target(start=True, env={**POD, "EMBEDDED_ARGO_HOME": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_a_pod_of_the_embedded_argo_stays_in_its_namespace() -> None:
    assert embedded_namespace(POD) == "team"
    assert embedded_namespace({**POD, "ARGO_NAMESPACE": "other"}) == "other"
    assert embedded_namespace({}) == "default"
