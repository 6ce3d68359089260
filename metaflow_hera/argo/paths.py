"""The paths of Argo's API, as far as objects are read, acted upon and deleted; Hera has the others."""

from __future__ import annotations

from urllib.parse import quote

TEMPLATES, CRONS, WORKFLOWS = "workflow-templates", "cron-workflows", "workflows"
SENSORS, EVENTS, BINDINGS = "sensors", "events", "workflow-event-bindings"
VERSION, ARCHIVE = "version", "archived-workflows"


def path(kind: str, *parts: str) -> str:
    """The path of a kind of objects: of those in a namespace, of one of them, or of an action on it."""
    return "/".join(("api/v1", kind, *(quote(part, safe="") for part in parts)))


def bearer(token: str) -> str:
    """The header that carries a token, which may be given with its scheme."""
    words = token.split()
    return " ".join(words) if len(words) > 1 else f"Bearer {token.strip()}"
