"""Production tokens: who may deploy a new version, and the namespace of its runs."""

from __future__ import annotations

from dataclasses import dataclass

from metaflow_hera.argo.deployments import Deployed
from metaflow_hera.errors import UsageError
from metaflow_hera.metaflow_api.tokens import fresh_token, known_token


@dataclass(frozen=True)
class Token:
    """The token to deploy with; `is_new` says that no version has had it yet."""

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

    Whoever deployed the previous version may deploy again; others need its token, in `authorize` or from
    an earlier time. Raises UsageError for those who have it not.
    """
    if previous is not None and previous.owner != user:
        claimed = _bare(authorize) if authorize else known_token(prefix)
        if claimed != previous.token:
            raise UsageError(
                f"{previous.name} was deployed by {previous.owner}: ask for the production token and deploy "
                "with --authorize TOKEN."
            )
    if given is not None:
        return Token(_bare(given), is_new=True)
    if previous is not None and not generate:
        return Token(previous.token, is_new=False)
    token = fresh_token(prefix, previous.token if previous else None)
    if token is None:
        raise UsageError(
            "--generate-new-token does not go with a token of your own making: give the next one with "
            "--new-token."
        )
    return Token(token, is_new=True)


def _bare(token: str) -> str:
    return token.removeprefix("production:")
