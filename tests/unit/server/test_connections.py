"""How the server is reached: certificates, proxies, a base path, tokens."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import trustme
from exports import export
from serving import Quiet, serving
from wrong import STATUS

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.paths import bearer
from metaflow_hera.argo.target import configured_target
from metaflow_hera.errors import ArgoDenied, ArgoError, ArgoUnreachable, ConfigurationError

TEMPLATE = export("linear")[0]
REFUSED = {"code": 16, "message": "token not valid"}


class Server:
    """An HTTP server that answers all calls alike, and notes the lines and the logins that came."""

    def __init__(self, status: int = 200, body: Any = TEMPLATE) -> None:
        self.lines: list[str] = []
        self.logins: list[str | None] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                server.lines.append(self.requestline)
                server.logins.append(self.headers["Authorization"])
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_: Any) -> None:
                """Not to stderr."""

        self._handler = Handler
        self.address = ""

    @contextmanager
    def running(self, context: ssl.SSLContext | None = None) -> Iterator[Server]:
        """Serve meanwhile."""
        with serving(self._handler, Quiet, context) as self.address:
            yield self


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine counts."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def client(server: str, **env: str) -> ArgoClient:
    """A client of a server, by the variables of Argo's command line."""
    secure = "true" if "ARGO_CA_CERT" in env or "ARGO_CERTIFICATE_AUTHORITY" in env else "false"
    about = {"ARGO_SERVER": server, "ARGO_NAMESPACE": "default", "ARGO_SECURE": secure}
    target = configured_target({**about, **env})
    assert target is not None
    return ArgoClient(target)


class TestClientCertificates:
    """A server, or an ingress before it, that asks its clients for a certificate."""

    @pytest.fixture
    def files(self, tmp_path: Path) -> dict[str, str]:
        """The authority's certificate, and a user's certificate and key."""
        self.authority = trustme.CA()
        user = self.authority.issue_cert("user@example.org")
        names = {"ca": tmp_path / "ca.pem", "cert": tmp_path / "user.pem", "key": tmp_path / "user.key"}
        self.authority.cert_pem.write_to_path(str(names["ca"]))
        user.cert_chain_pems[0].write_to_path(str(names["cert"]))
        user.private_key_pem.write_to_path(str(names["key"]))
        return {name: str(path) for name, path in names.items()}

    def context(self) -> ssl.SSLContext:
        """That of a server which demands a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1").configure_cert(context)
        self.authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    @pytest.mark.parametrize("variable", ["ARGO_CA_CERT", "ARGO_CERTIFICATE_AUTHORITY"])
    def test_one_that_is_given_is_shown(self, files: dict[str, str], variable: str) -> None:
        own = {"ARGO_CLIENT_CERTIFICATE": files["cert"], "ARGO_CLIENT_KEY": files["key"]}
        with Server().running(self.context()) as server:
            asks = client(server.address, **{variable: files["ca"]}, **own)
            assert asks.template("linearflow")["kind"] == "WorkflowTemplate"
            assert asks.create_template(TEMPLATE)["kind"] == "WorkflowTemplate"  # which Hera's service sends
            with pytest.raises(ArgoUnreachable):
                client(server.address, **{variable: files["ca"]}).template("linearflow")

    def test_half_of_one(self, files: dict[str, str]) -> None:
        with pytest.raises(ConfigurationError, match="ARGO_CLIENT_CERTIFICATE and ARGO_CLIENT_KEY"):
            client("argo:1", ARGO_CLIENT_CERTIFICATE=files["cert"])
        with pytest.raises(ConfigurationError, match=r"ARGO_CLIENT_KEY names /absent, which is not a file"):
            client("argo:1", ARGO_CLIENT_CERTIFICATE=files["cert"], ARGO_CLIENT_KEY="/absent")

    def test_what_is_none(self, files: dict[str, str], tmp_path: Path) -> None:
        other, text = tmp_path / "other.key", tmp_path / "text"
        self.authority.issue_cert("other").private_key_pem.write_to_path(str(other))
        text.write_bytes(b"\xff no certificate")
        for certificate, key in (
            (files["cert"], str(other)),
            (files["key"], files["cert"]),
            (files["cert"], str(text)),
            (str(text), str(text)),
        ):
            given = {"ARGO_CLIENT_CERTIFICATE": certificate, "ARGO_CLIENT_KEY": key}
            with pytest.raises(ConfigurationError, match="cannot be used: set ARGO_CLIENT_CERTIFICATE"):
                client("argo:1", ARGO_CA_CERT=files["ca"], **given)


def test_the_authorities_of_requests_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/absent")
    with pytest.raises(ArgoError, match=r"cannot be asked: .*/absent"):
        client("argo.example:1", ARGO_SECURE="true").template("linearflow")


EACH_VERB: list[Callable[[ArgoClient], object]] = [
    lambda asks: asks.template("linearflow"),
    lambda asks: asks.create_template(TEMPLATE),
    lambda asks: asks.suspend("linearflow"),
    lambda asks: list(asks.archived_workflows("a")),
    lambda asks: list(asks.logs("linearflow")),
    lambda asks: asks.delete_template("linearflow"),
    lambda asks: asks.version(),
]


@pytest.mark.parametrize("verb", EACH_VERB)
def test_a_base_path_is_before_each_call(verb: Callable[[ArgoClient], object]) -> None:
    with Server(403, STATUS).running() as server, pytest.raises(ArgoDenied):
        verb(client(server.address, ARGO_BASE_HREF="/argo/"))
    assert server.lines[0].split()[1].startswith("/argo/api/v1/")


def test_a_proxy_hands_on_what_is_not_excepted(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server().running() as proxy, Server().running() as server:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        client("argo.example:2746").template("linearflow")
        client("argo.example:2746").create_template(TEMPLATE)
        assert [line.split()[1].partition("/api")[0] for line in proxy.lines] == [
            "http://argo.example:2746"
        ] * 2
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        client(server.address).template("linearflow")
        assert (len(proxy.lines), len(server.lines)) == (2, 1)


@pytest.mark.parametrize(
    ("token", "header"),
    [
        ("abc", "Bearer abc"),
        ("Bearer abc", "Bearer abc"),
        (" Bearer  abc\n", "Bearer abc"),
        ("Basic dTpw", "Basic dTpw"),
        ("v2:abc", "Bearer v2:abc"),
        ("Bearer v2:abc", "Bearer v2:abc"),
    ],
)
def test_forms_of_a_token(token: str, header: str) -> None:
    assert bearer(token) == header


@pytest.mark.parametrize(
    ("token", "login"), [("abc", "Bearer abc"), ("Basic dTpw", "Basic dTpw"), ("", "Basic bWU6cHc=")]
)
def test_a_login_of_netrc_counts_where_there_is_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str, login: str
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password pw\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Server().running() as server:
        asked = client(server.address, ARGO_TOKEN=token)
        asked.template("linearflow")
        asked.create_template(TEMPLATE)
    assert server.logins == [login, login]


OF_NO_USER = (
    "For Argo with the tokens of Kubernetes: "
    'export ARGO_TOKEN="Bearer $(kubectl -n default create token metaflow-deployer)".'
)
PLUGIN = {"exec": {"command": "aws", "args": ["eks", "get-token", "--cluster-name", "a b"]}}
OF_OIDC = {"exec": {"command": "kubectl", "args": ["oidc-login", "get-token", "--oidc-client-secret=abc"]}}
OF_A_FILE = {"exec": {"command": "cat", "args": ["/home/me/abc.json"]}}
OF_TEXT = {"exec": {"command": "echo", "args": ['{"kind": "ExecCredential", "status": {"token": "abc"}}']}}


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (PLUGIN, "the user me of your kubeconfig gets one by aws eks get-token: export"),
        (OF_OIDC, "the user me of your kubeconfig gets one by kubectl oidc-login get-token: export"),
        (OF_A_FILE, "the user me of your kubeconfig gets one by cat: export"),
        (OF_TEXT, "the user me of your kubeconfig gets one by echo: export"),
        ({"token": "abc"}, "the user me of your kubeconfig has one"),
        ({"client-certificate": "a"}, None),
    ],
)
@pytest.mark.parametrize("token", ["old", ""])
def test_a_token_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: Any, words: str | None, token: str
) -> None:
    config = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"user": "me"}}, {"name": "b", "context": {"user": "b"}}],
        "users": [{"name": "b", "user": {"token": "of-b"}}, {"name": "me", "user": user}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", f"/absent:{tmp_path / 'config'}")
    with Server(401, REFUSED).running() as server, pytest.raises(ArgoDenied) as told:
        client(server.address, ARGO_TOKEN=token).template("a")
    message = str(told.value)
    assert "abc" not in message  # a token is not shown
    if words is None:
        assert "kubeconfig" not in message
        assert message.endswith(OF_NO_USER)
    else:
        assert words in message
        assert 'export ARGO_TOKEN="$(argo auth token)"' in message


@pytest.mark.parametrize("text", ["", "[", "a: b", "contexts: 3\nusers: [1]", "current-context: x"])
def test_a_kubeconfig_that_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "config").write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    with Server(401, REFUSED).running() as server, pytest.raises(ArgoDenied) as told:
        client(server.address).template("a")
    assert str(told.value).endswith(f"set ARGO_TOKEN. {OF_NO_USER}")


DENIED = (
    'workflowtemplates.argoproj.io "a" is forbidden: User "{}" cannot get resource "workflowtemplates" in '
    'API group "argoproj.io" in the namespace "default"'
)
"""What Kubernetes says, and Argo's server hands on, whoever asked it: the server's account, or the user."""


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (DENIED.format("system:serviceaccount:argo:argo-server"), "is one of the namespace argo."),
        (DENIED.format("system:serviceaccount:default:metaflow-deployer"), None),
        (DENIED.format("jane@example.org"), None),
        ('Permission denied, you are not allowed to list workflows in namespace "default".', None),
        ("not allowed", None),
    ],
)
def test_a_denial_asks_for_the_namespace_where_it_tells_of_another(said: str, hint: str | None) -> None:
    with Server(403, {"code": 7, "message": said}).running() as server, pytest.raises(ArgoDenied) as told:
        client(server.address).template("a")
    assert "does not allow you to get workflowtemplates (403: " in str(told.value)
    assert ("Is ARGO_NAMESPACE right?" in str(told.value)) is (hint is not None)
    assert str(told.value).endswith(hint or "writes a Role that has it.")
