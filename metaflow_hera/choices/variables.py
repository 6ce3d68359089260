"""The environment variables that choose a server and the embedded Argo, once; an option's key is its own.

`mfhera doctor` shows those that are set, and docs/reference/configuration.md lists them (`nox -s reference`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Variable:
    """A variable that a person sets.

    Attributes:
        name: in the environment.
        help: what it says, in a sentence.
        default: what counts where it is not set, in words; None if nothing does.
        secret: whether its value must not be shown.
        configured: whether Metaflow's configuration may hold it as well.
    """

    name: str
    help: str
    default: str | None = None
    secret: bool = False
    configured: bool = False


OF_ARGO = (
    Variable("ARGO_SERVER", "`host:port` of Argo's server, version 3.6 or later.", "the embedded Argo"),
    Variable(
        "ARGO_NAMESPACE",
        "The Kubernetes namespace of what is deployed.",
        "that of Metaflow's configuration, else the one that Argo manages",
    ),
    Variable(
        "ARGO_TOKEN",
        "`Bearer ...`, of a login by SSO `Bearer v2:...`, or `Basic ...`; a word alone is a `Bearer`.",
        secret=True,
    ),
    Variable("ARGO_SECURE", "`false` for a server without TLS.", "`true`"),
    Variable("ARGO_BASE_HREF", "The path of the server behind an ingress."),
    Variable("ARGO_INSTANCEID", "The instance id of the controller, where a cluster has several."),
    Variable("ARGO_INSECURE_SKIP_VERIFY", "`true` trusts any certificate of the server.", "`false`"),
    Variable("ARGO_CA_CERT", "The file of the authority of the server's certificate, in PEM."),
    Variable("ARGO_CERTIFICATE_AUTHORITY", "The same, under the name that Argo's command line has for it."),
    Variable(
        "ARGO_CLIENT_CERTIFICATE",
        "The file with your own certificate, where the server or an ingress asks for one.",
    ),
    Variable("ARGO_CLIENT_KEY", "The file with its key."),
)
"""Those of Argo's own command line."""

OWN = (
    Variable(
        "METAFLOW_HERA_HOME",
        "The folder with the embedded Argo's state, an absolute path.",
        "the user's state folder of the platform",
    ),
    Variable("METAFLOW_HERA_MAX_PODS", "How many pods the embedded Argo runs at once.", "one for each core"),
    Variable(
        "METAFLOW_HERA_COLD_PODS",
        "Set: each pod of the embedded Argo starts with an interpreter of its own; none is forked.",
    ),
    Variable(
        "METAFLOW_HERA_HISTORY",
        "How many versions the history of a deployment keeps, 1 or more.",
        "`100`",
        configured=True,
    ),
    Variable(
        "METAFLOW_HERA_PAGER_DUTY_URL",
        "Where notifications to PagerDuty go, in place of PagerDuty's own address.",
        configured=True,
    ),
    Variable(
        "METAFLOW_HERA_INCIDENT_IO_URL",
        "Where notifications to incident.io go, in place of its own address.",
        configured=True,
    ),
)
"""This package's own."""
