"""Argo's server: whether it answers, its version, whether to trust it, and how long the token is valid."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

from metaflow_hera.argo.client import ArgoClient
from metaflow_hera.argo.kubeconfig import how_to_get_a_token
from metaflow_hera.argo.target import Target
from metaflow_hera.argo.versions import OLDEST, numbers
from metaflow_hera.contract.objects import NOT_JSON
from metaflow_hera.errors import ArgoError, ArgoTokenRefused
from metaflow_hera.operations.health.findings import Finding, Part

PART = Part("server")
UNKNOWN = (5, 0, 0)
"""The first version of Argo on which flows were not tried."""
SOON = timedelta(hours=12)
"""A token that is valid for less long is worth a word."""
CLOCKS = timedelta(seconds=60)
"""How much the clocks may differ: schedules, tokens and signatures of requests go by them."""
UNTOLD = "set; it does not tell until when it is valid"
OF_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def findings(client: ArgoClient, now: datetime) -> Iterator[Finding]:
    """What there is to say of a server. Of one that does not answer that is one finding, which has failed."""
    target = client.target
    try:
        version = client.version()
    except ArgoTokenRefused as error:
        yield PART.failed("token", str(error))
        return
    except ArgoError as error:
        yield PART.failed("reachable", str(error))
        return
    yield PART.ok("reachable", str(target))
    yield of_version(version)
    if not target.embedded:
        yield from _trust(target)
        yield from token(target.token, target.namespace, now)
    if client.answered_at is not None:
        yield clock(client.answered_at, now)


def of_version(text: str) -> Finding:
    """Whether flows run on a version of Argo."""
    number = numbers(text)
    if number is None:
        return PART.warning("version", f"{text}, which is no release", "Use a release of Argo, 3.6 to 4.x.")
    if number < OLDEST:
        return PART.failed("version", f"{text} is too old", "Install Argo Workflows 3.6 or later, up to 4.x.")
    if number >= UNKNOWN:
        return PART.warning("version", f"{text} was not tried", "Flows were tried on Argo 3.6 to 4.x.")
    return PART.ok("version", text)


def clock(theirs: datetime, ours: datetime) -> Finding:
    """Whether the clocks of the server and of this machine agree."""
    difference = abs(theirs - ours)
    if difference <= CLOCKS:
        return PART.ok("clock", "as this machine's")
    return PART.warning(
        "clock",
        f"the server's is {_minutes(difference)} {'ahead of' if theirs > ours else 'behind'} this machine's",
        "Set both by NTP: schedules, tokens and the signatures of S3 depend on them.",
    )


def token(text: str | None, namespace: str, now: datetime) -> Iterator[Finding]:
    """Until when a token is valid, where it says so."""
    if text is None:
        yield PART.ok("token", "none is set (ARGO_TOKEN): the server may do without one")
        return
    claims = _claims(text)
    if claims is None:
        yield PART.ok("token", UNTOLD)
        return
    ends = claims.get("exp")
    if not isinstance(ends, int | float):
        yield PART.ok("token", "valid without an end")
        return
    try:
        end = datetime.fromtimestamp(ends, timezone.utc)
    except (OverflowError, ValueError, OSError):  # no time that a calendar has
        yield PART.ok("token", UNTOLD)
        return
    if end <= now:
        yield PART.failed("token", f"it was valid until {_time(end)}", how_to_get_a_token(namespace))
    elif end - now < SOON:
        yield PART.warning(
            "token",
            f"valid until {_time(end)}, for {_minutes(end - now)} more",
            "Get a new one in time: kubectl create token has --duration.",
        )
    else:
        yield PART.ok("token", f"valid until {_time(end)}")


def _trust(target: Target) -> Iterator[Finding]:
    parts = urlsplit(target.host)
    if parts.scheme == "http":
        if parts.hostname not in OF_THIS_MACHINE:
            yield PART.warning(
                "TLS",
                "none (ARGO_SECURE=false): the token can be read on its way",
                "Give Argo's server a certificate, then unset ARGO_SECURE.",
            )
        else:
            yield PART.ok("TLS", "none, to an address of this machine")
    elif target.verify is False:
        yield PART.warning(
            "TLS",
            "the certificate is not checked (ARGO_INSECURE_SKIP_VERIFY)",
            "Set ARGO_CA_CERT to the file of its certificate authority, and unset ARGO_INSECURE_SKIP_VERIFY.",
        )
    else:
        by = "" if target.verify is True else f" with {target.verify} (ARGO_CA_CERT)"
        yield PART.ok("TLS", f"the certificate is checked{by}")


def _time(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def _minutes(duration: timedelta) -> str:
    minutes = round(duration.total_seconds() / 60)
    return f"{minutes} minute{'s' * (minutes != 1)}"


def _claims(text: str) -> dict[str, object] | None:
    """What a JSON Web Token says of itself; None for another kind of token."""
    parts = text.split()[-1].split(".") if text.split() else []
    if len(parts) != 3:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except NOT_JSON:
        return None
    return found if isinstance(found, dict) else None
