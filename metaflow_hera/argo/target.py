"""Which server to use: the Argo server of ARGO_SERVER, or the embedded Argo of this machine."""

from __future__ import annotations

import base64
import os
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from metaflow_hera import __version__
from metaflow_hera.contract import environment
from metaflow_hera.embedded.local import launch
from metaflow_hera.errors import ConfigurationError, LocalServerError
from metaflow_hera.home import embedded_errors, home_folder
from metaflow_hera.metaflow_api.light.configuration import checked_namespace, namespace_in_use

TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
FALSE = frozenset({"0", "false", "f", "no", "n", "off"})


@dataclass(frozen=True)
class Target:
    """An Argo server.

    `host` is its base address with a slash at the end, without a user or a password. `verify` is what
    `requests` takes: whether to check the server's certificate, or the file with the certificate authority;
    `client_certificate` is the files with this user's certificate and its key. `instance` is the instance id
    of the controller that runs the workflows. `started` is when the embedded Argo was started, in seconds
    since the epoch, `just_started` says that this command has done so.
    """

    host: str
    namespace: str
    token: str | None = None
    verify: bool | str = True
    embedded: bool = False
    client_certificate: tuple[str, str] | None = None
    instance: str | None = None
    started: float | None = None
    just_started: bool = False

    def __str__(self) -> str:
        if self.embedded:
            return f"the embedded Argo ({self.host.rstrip('/')})"
        return f"Argo at {self.host.rstrip('/')}, namespace {self.namespace}"


def configured_target(env: Mapping[str, str] = os.environ) -> Target | None:
    """The server that ARGO_SERVER and the other variables of Argo's own CLI name, or None.

    Raises ConfigurationError for values that cannot be used.
    """
    server = env.get("ARGO_SERVER", "").strip()
    if not server:
        return None
    # As Argo: without a clear no the token is not sent in the clear.
    secure = env.get("ARGO_SECURE", "").lower() not in FALSE
    address = server if "://" in server else f"{'https' if secure else 'http'}://{server}"
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:  # a bracket without its other half, a port that is none
        usable = False
    if not usable:
        raise ConfigurationError(f"ARGO_SERVER is {without_password(server)!r}: write it as host:port.")
    base = "/".join(
        part.strip("/") for part in (parts.path, env.get("ARGO_BASE_HREF", "")) if part.strip("/")
    )
    verify: bool | str = env.get("ARGO_INSECURE_SKIP_VERIFY", "false").lower() not in TRUE
    authority = _file(env, "ARGO_CA_CERT") or _file(env, "ARGO_CERTIFICATE_AUTHORITY")
    if verify and authority:
        verify = authority
    certificate, key = _file(env, "ARGO_CLIENT_CERTIFICATE"), _file(env, "ARGO_CLIENT_KEY")
    if (certificate is None) != (key is None):
        raise ConfigurationError("ARGO_CLIENT_CERTIFICATE and ARGO_CLIENT_KEY are needed together: set both.")
    if parts.scheme == "https":
        _check_certificates(authority if verify else None, certificate, key)
    return Target(
        host=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{base}{'/' if base else ''}",
        namespace=namespace_in_use(env),
        token=_login(parts) or _token(env),
        verify=verify,
        client_certificate=(certificate, key) if certificate and key else None,
        instance=env.get("ARGO_INSTANCEID") or None,
    )


def without_password(text: str) -> str:
    """An address, or a message with one, without the user and the password that it may have."""
    return re.sub(r"(//|^)[^/@\s]+@(?!sha256:)", r"\1...@", text)  # an image's digest is no password


def _login(address: SplitResult) -> str | None:
    """The user and the password of an address as a token, by which they are shown nowhere."""
    if "@" not in address.netloc:
        return None
    login = f"{unquote(address.username or '')}:{unquote(address.password or '')}"
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def _token(env: Mapping[str, str]) -> str | None:
    """The token of ARGO_TOKEN, or None. Raises ConfigurationError for what cannot be one."""
    words = env.get("ARGO_TOKEN", "").split()
    token = " ".join(words)
    if token.lower() in ("bearer", "basic"):
        raise ConfigurationError(
            f"ARGO_TOKEN is {token!r}, with no token after it: the command that was to make one has failed. "
            "Run that command alone to see why."
        )
    if not (token.isascii() and token.isprintable()):
        raise ConfigurationError("ARGO_TOKEN has characters that no token has: set it anew, or unset it.")
    return token or None


def _check_certificates(authority: str | None, certificate: str | None, key: str | None) -> None:
    """Raise ConfigurationError for files that TLS cannot use.

    They are an authority's certificate, and a user's with its key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if authority is not None:
            context.load_verify_locations(authority)
    except OSError:
        raise ConfigurationError(
            f"No certificate can be read from {authority}, which ARGO_CA_CERT names: "
            "set it to a file with that of the server's certificate authority, in PEM."
        ) from None
    try:
        if certificate is not None:
            context.load_cert_chain(certificate, key, password="")  # or OpenSSL asks for one on the terminal
    except OSError:
        raise ConfigurationError(
            f"{certificate} and {key} cannot be used: set ARGO_CLIENT_CERTIFICATE to a file with a "
            "certificate and ARGO_CLIENT_KEY to one with its key, both in PEM, the key without a password."
        ) from None


def _file(env: Mapping[str, str], name: str) -> str | None:
    """The file that a variable names. Raises ConfigurationError if there is none."""
    path = env.get(name)
    if path and not os.path.isfile(path):
        raise ConfigurationError(f"{name} names {path}, which is not a file.")
    return path or None


def resolve_target(*, start: bool, env: Mapping[str, str] = os.environ) -> Target:
    """The server that an environment names.

    If ARGO_SERVER is not set, that is the embedded Argo, which `start` says to start if necessary. Raises
    LocalServerError if it is not running and `start` is false. A pod does not start it: on a cluster it would
    end with the pod, and on this machine its user has stopped it.

    Raises ConfigurationError in a pod of a cluster where ARGO_SERVER is not set.
    """
    configured = configured_target(env)
    if configured is not None:
        return configured
    if environment.PATH in env and not env.get("METAFLOW_HERA_HOME"):
        if environment.EMBEDDED_HOME not in env:
            raise ConfigurationError(
                "ARGO_SERVER is not set in this pod: set it and ARGO_TOKEN with @environment or @secrets."
            )
        start = False
    asked = time.time()
    home = home_folder(env)
    with embedded_errors():
        server = launch.ensure_running(home, __version__) if start else launch.status(home)
    if server is None:
        if (hung := launch.process(home)) is not None:
            raise LocalServerError(
                f"The embedded Argo (process {hung}) does not answer: try again, or end it with "
                "mfhera local stop and start it with mfhera local start. Its runs will continue."
            )
        raise LocalServerError(
            "The embedded Argo is not running: start it with mfhera local start, "
            "or set ARGO_SERVER to use that of a cluster."
        )
    return Target(
        host=f"{server.url}/",
        namespace=embedded_namespace(env),
        token=server.token,
        embedded=True,
        started=server.started,
        just_started=server.started >= asked,
    )


def embedded_namespace(env: Mapping[str, str] = os.environ) -> str:
    """The namespace at the embedded Argo: that of ARGO_NAMESPACE, else that of this pod, else `default`.

    Raises ConfigurationError for a name that no namespace can have.
    """
    name = env.get("ARGO_NAMESPACE")
    if name:
        return checked_namespace(name, "ARGO_NAMESPACE")
    return env.get(environment.ARGO_NAMESPACE) or "default"
