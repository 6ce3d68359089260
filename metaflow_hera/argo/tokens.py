"""Production tokens: who may deploy a new version, and the namespace of its runs."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from metaflow_hera.argo.deployments import Deployed
from metaflow_hera.argo.run import Run
from metaflow_hera.errors import NotYoursError, OptionError
from metaflow_hera.metaflow_api.light.tokens import known_token


@dataclass(frozen=True)
class Token:
    """The token to deploy with; `is_new` says that no version that is known here has had it."""

    value: str
    is_new: bool


def resolve_token(
    previous: Deployed | None,
    prefix: str,
    user: str,
    *,
    authorize: str | None = None,
    generate: bool = False,
    given: str | None = None,
) -> Token:
    """The token for a deployment by a user, by the rules of Metaflow's own plugin.

    The user who deployed the previous version may deploy again; others need its token, in `authorize` or
    remembered from an earlier time. Raises NotYoursError for those who do not have it.
    """
    if previous is not None:
        check_access(previous, prefix, user, authorize)
    if given is not None:
        return _as_token(bare(given), previous, prefix)
    if previous is not None and not generate:
        return Token(previous.token, is_new=False)
    from metaflow_hera.metaflow_api.load.tokens import fresh_token  # not before: it imports Metaflow

    token = fresh_token(prefix, previous.token if previous else None)
    if token is None:
        raise OptionError(
            "--generate-new-token does not go with a token that you chose yourself: "
            "give the next one with --new-token."
        )
    return _as_token(token, previous, prefix)


def _as_token(value: str, previous: Deployed | None, prefix: str) -> Token:
    # That of a version that was deleted is known to whoever deployed it, and follows again from the name.
    had = {known_token(prefix), previous.token if previous else None}
    return Token(value, is_new=value not in had)


def first_token(prefix: str) -> str:
    """A token that follows from its prefix alone, for an export that must be the same each time.

    It has the form of Metaflow's tokens, so that the next one follows from it.
    """
    digest = hashlib.sha1(prefix.encode(), usedforsecurity=False).digest()
    return f"{prefix}-0-{base64.b32encode(digest).decode()[:4].lower()}"


def check_access(found: Deployed | Run, prefix: str, user: str, authorize: str | None) -> None:
    """Raise NotYoursError if a user may not change a deployment, or a run of it.

    Its owner may, and so may those who have its production token: in `authorize`, or remembered from an
    earlier time under the `prefix` of the deployment's tokens.
    """
    if found.owner == user:
        return
    claimed = bare(authorize) if authorize else known_token(prefix)
    if claimed == found.token:
        return
    what = found.name if isinstance(found, Deployed) else found.run_id
    wrong = (
        f"{authorize} is not its production token" if authorize else "you do not have its production token"
    )
    raise NotYoursError(
        f"{what} was deployed by {found.owner}, and {wrong}: "
        "ask them for it, then run this again with --authorize TOKEN."
    )


def bare(token: str) -> str:
    """A token, also if it is given as the name of its namespace."""
    return token.removeprefix("production:")
