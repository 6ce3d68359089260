"""What a user reads when Argo's server refuses a call, does not answer it, or is not Argo's server."""

from __future__ import annotations

import re
import ssl
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests

from metaflow_hera.argo.kubeconfig import how_to_get_a_token
from metaflow_hera.argo.session import BUSY, Redirected, was_sent
from metaflow_hera.argo.target import Target
from metaflow_hera.contract.objects import NOT_JSON
from metaflow_hera.errors import (
    ArgoConflict,
    ArgoDenied,
    ArgoError,
    ArgoEventsMissing,
    ArgoExpired,
    ArgoNotFound,
    ArgoTokenRefused,
    ArgoUnanswered,
    ArgoUnreachable,
)

LONGEST = 300
"""How many characters of a server's own words are repeated."""
SHOWN = 60
"""How many of an answer that is not Argo's."""
OF_ANOTHER_TLS = "HTTP request to an HTTPS server"
"""What Go's server, and others, answer to a call without TLS."""
NO_SUCH_KIND = "could not find the requested resource"
"""What Kubernetes answers where a custom resource is not installed."""
OTHERS = "is not managed by the current Argo Server"
"""What Argo's server answers (with 400) for an object that is not of its instance id."""
SERVICE_ACCOUNT = re.compile(r'User "system:serviceaccount:([^:"]+):[^"]+" cannot ')
"""How Kubernetes names a service account, with its namespace, that it denies something."""
DENIED = re.compile(r'cannot (\w+) resource "([\w/]+)"')
"""Kubernetes' words for a permission that a Role does not give."""
NO_TEMPLATE = re.compile(r'workflowtemplates\.argoproj\.io "[^"]*" not found')
"""What Argo's server says where it does not know the template of what it is given: of a workflow with 404,
of a cron workflow with 400. Seen on a real Argo 4.1.2."""
TOO_MANY = re.compile(r"(?:dag\.tasks|spec\.templates): Too many: (\d+): must have at most (\d+) items")
"""What Kubernetes says of a list that Argo's complete CRDs, since version 4.0, keep short."""
EXPIRED = "continue parameter is too old"
"""What Kubernetes says (with 410) of a page that it no longer keeps; Argo's server hands it on with 400."""

VERBS = {"GET": "get", "POST": "create", "PUT": "update", "DELETE": "delete"}
OF_A_RUN = {"submit": "create", "resubmit": "create", "stop": "patch", "terminate": "patch"}
"""Kubernetes' verbs of Argo's calls, where they are not those of the method."""


def refused(target: Target, method: str, answer: requests.Response) -> ArgoError:
    """The error of an answer that is no success."""
    status, said = answer.status_code, _words(answer)
    if OF_ANOTHER_TLS in said:
        return ArgoUnreachable(f"{target} is a server with TLS: set ARGO_SECURE=true.")
    if status == 401:
        hint = "set ARGO_TOKEN" if target.token is None else "is ARGO_TOKEN right and still valid?"
        return ArgoTokenRefused(
            f"{target} denies access ({status}: {said}): {hint}{_how_to_get_a_token(target)}"
        )
    if status == 403:
        what = _permission(method, str(answer.url), said)
        token = " (or set ARGO_TOKEN)" if target.token is None else ""
        return ArgoDenied(
            f"{target} does not allow you to {what} ({status}: {said}): "
            f"ask those who run the cluster for this permission{token}; "
            f"mfhera doctor --print rbac writes a Role that has it.{_of_elsewhere(said, str(answer.url))}"
        )
    if status in BUSY:
        return _no_answer(method != "GET", f"{target} is not available ({status}: {said})", "try again.")
    if status == 404 and NO_SUCH_KIND in said and "sensor" in said:
        return ArgoEventsMissing(
            f"{target} has no Argo Events ({said}), which starts a flow with @trigger: install it, "
            "or write the objects with --only-yaml --events workflow-event-binding."
        )
    if not _is_argos(answer) and (status == 404 or status >= 500):
        what = f"{target} does not answer like Argo ({status}: {said})"
        may_be_done = method != "GET" and status != 404  # by a proxy, which may have handed it on
        return ArgoUnanswered(what) if may_be_done else ArgoError(f"{what}: is ARGO_SERVER right?")
    if OTHERS in said:
        return ArgoError(
            f"{target} refuses the request: {said}. It belongs to another instance id of Argo: "
            "is ARGO_INSTANCEID that of this server's controller?"
        )
    if many := TOO_MANY.search(said):
        return ArgoError(
            f"{target} refuses the request: {many[0]}. Argo itself could run it, its complete CRDs do not "
            "allow it: split the flow into several, each started by @trigger_on_finish of the one before."
        )
    known = {404: ArgoNotFound, 409: ArgoConflict, 410: ArgoExpired}
    other = ArgoExpired if EXPIRED in said else known.get(status, ArgoError)
    if NO_TEMPLATE.search(said):
        other = ArgoNotFound
    return other(f"{target} refuses the request: {said}" + ("" if _is_argos(answer) else f" ({status})"))


def _how_to_get_a_token(target: Target) -> str:
    """A further sentence, for an Argo that is not embedded."""
    if target.embedded:
        return ""
    stop = "" if target.token else "."
    return f"{stop} {how_to_get_a_token(target.namespace)}"


def not_argos(target: Target, method: str, answer: requests.Response) -> ArgoError:
    """The error of an answer that is not what was asked for."""
    what = f"{target} does not answer like Argo, but with {_described(answer)}"
    return ArgoError(f"{what}: is ARGO_SERVER right?") if method == "GET" else ArgoUnanswered(what)


def unreachable(target: Target, method: str, error: requests.RequestException) -> ArgoError:
    """The error of a call without an answer."""
    if isinstance(error, Redirected):
        return ArgoError(
            f"{target} redirects to {error}, and nothing was sent there: "
            "set ARGO_SERVER (and ARGO_SECURE) to the address of Argo's server itself."
        )
    reason = root_cause(error)
    if isinstance(error, requests.exceptions.SSLError):
        if "WRONG_VERSION_NUMBER" in str(error) or "unknown protocol" in str(error).lower():
            return ArgoUnreachable(f"{target} is a server without TLS ({reason}): set ARGO_SECURE=false.")
        return ArgoUnreachable(
            f"{target} cannot be trusted ({reason}): set ARGO_CA_CERT to the file of its certificate "
            "authority, ARGO_INSECURE_SKIP_VERIFY=true to trust it unseen, "
            "or ARGO_SECURE=false for a server without TLS."
        )
    may_be_done = method != "GET" and was_sent(error)
    if isinstance(error, requests.Timeout):
        hint = "is ARGO_SERVER right and the network up?"
        return _no_answer(may_be_done, f"{target} did not answer in time", hint)
    if not was_sent(error):
        hint = "run mfhera local status" if target.embedded else "is ARGO_SERVER right?"
        return _no_answer(may_be_done, f"{target} cannot be reached ({reason})", hint)
    if target.embedded:
        hint = "run mfhera local status"
    elif target.host.startswith("https:"):
        hint = "is ARGO_SERVER right?"
    else:
        hint = "are ARGO_SERVER and ARGO_SECURE right?"
    return _no_answer(
        may_be_done, f"{target} closed the connection before its answer was complete ({reason})", hint
    )


def _no_answer(may_be_done: bool, what: str, hint: str) -> ArgoUnreachable:
    """The error of a call without an answer.

    That of a write is no whole sentence: who sent it finds out what has become of it and says so (settling).
    """
    return ArgoUnanswered(what) if may_be_done else ArgoUnreachable(f"{what}: {hint}")


def root_cause(error: BaseException) -> str:
    """The innermost reason of a failed connection, without the layers around it."""
    while True:
        # Not __context__: what was handled before is another error.
        inner = error.__cause__ or getattr(error, "reason", None)
        inner = inner or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_message:
        text = error.verify_message
    elif isinstance(error, OSError) and error.strerror:
        text = re.sub(r"\s*\(_ssl\.c:\d+\)$", "", error.strerror).rpartition("] ")[2]
    else:
        text = str(error).rpartition(": ")[2]
    return _short(text.strip("\"'. ") or type(error).__name__)


def said_by(body: Any) -> str | None:
    """What the JSON of an error says; that of a stream has it one level lower."""
    if isinstance(body, dict):
        inner = body.get("error")
        for part in (body, inner):
            if isinstance(part, dict) and isinstance(part.get("message"), str) and part["message"].strip():
                return _short(part["message"])
    return None


def _words(answer: requests.Response) -> str:
    """The server's own words. A page for a browser is none."""
    body = _json(answer)
    text = said_by(body)
    is_page = "html" in answer.headers.get("Content-Type", "") or "<" in answer.text[:200]
    if text is None and body is None and not is_page:
        text = _short(answer.text)
    if not text:
        known = answer.status_code in {each.value for each in HTTPStatus}
        text = HTTPStatus(answer.status_code).phrase if known else answer.reason or "no reason"
    return text.rstrip(".")


def _is_argos(answer: requests.Response) -> bool:
    """Whether an error is in the form of Argo's server (a gRPC status) or of Kubernetes' (a Status)."""
    body = _json(answer)
    return isinstance(body, dict) and said_by(body) is not None


def _described(answer: requests.Response) -> str:
    """What came in place of Argo's answer, in words."""
    body, text = _json(answer), answer.text.strip()
    if isinstance(body, dict) and isinstance(body.get("metadata"), dict) and body["metadata"].get("name"):
        return f"another object than asked for, {_short(str(body['metadata']['name']), SHOWN)}"
    if not text:
        return "nothing"
    if "<" in text[:200]:
        return "a web page"
    return _short(text, SHOWN)


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except NOT_JSON:
        return None


def denied_permission(said: str) -> str | None:
    """The permission that Kubernetes says is missing (`get pods/log`); None for the words of others."""
    found = DENIED.search(said)
    return None if found is None else f"{found[1]} {found[2]}"


def _permission(method: str, url: str, said: str) -> str:
    """The verb and the resource that were denied, as a Role of Kubernetes names them.

    Kubernetes says which: for one call, Argo's server may ask it for several things. Argo's own words do not.
    """
    parts = _parts(url)
    resource, rest = parts[0].replace("-", ""), parts[2:]
    action = rest[-1] if rest else ""
    if action == "log":
        return "get the logs of pods (list and watch pods, get pods/log)"
    denied = denied_permission(said)
    if denied is not None:
        return denied
    verb = OF_A_RUN.get(action) if resource == "workflows" else None
    if verb is None:
        verb = "list" if method == "GET" and not rest else VERBS.get(method, method.lower())
    return f"{verb} {resource}" if resource else "do this"


def _of_elsewhere(said: str, url: str) -> str:
    """A further sentence, where who is denied is of another namespace than the one asked for.

    A server that asks with its own account has permissions in the namespace that it manages, and mostly is
    there; so has an account that deploys.
    """
    account, asked = SERVICE_ACCOUNT.search(said), _parts(url)[1:2]
    if account is None or asked in ([], [account[1]]):
        return ""
    return f" Is ARGO_NAMESPACE right? The account that is denied is one of the namespace {account[1]}."


def _parts(url: str) -> list[str]:
    """The path of a call of Argo's API: the kind of objects, the namespace, and what else there is."""
    return urlsplit(url).path.partition("/api/v1/")[2].split("/")


def _short(text: str, longest: int = LONGEST) -> str:
    """A text of a server on one line, without what a terminal would obey, and not for ever."""
    text = text.strip()
    start = text[: 10 * longest]  # a page may have megabytes
    line = " ".join("".join(c if c.isprintable() else " " for c in start).split())
    return line if len(line) <= longest and start == text else f"{line[:longest]}..."
