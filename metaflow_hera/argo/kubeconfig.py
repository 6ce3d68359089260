"""How to get a token, as the user's kubeconfig has it if there is one: told where one is missing."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

WORD = re.compile(r"[a-z][a-z-]*")
"""A subcommand. What follows, options and their values, may hold a secret, and is not shown."""


def how_to_get_a_token(namespace: str, env: Mapping[str, str] = os.environ) -> str:
    """A sentence that says how, for an Argo that takes the tokens of Kubernetes.

    Where no kubeconfig tells, the token is that of the account which deploys in the namespace.
    """
    way = _way_to_a_token(env)
    if way is None:
        said, token = "", f"Bearer $(kubectl -n {namespace} create token metaflow-deployer)"
    else:
        said, token = f", {way}", "$(argo auth token)"
    return f'For Argo with the tokens of Kubernetes{said}: export ARGO_TOKEN="{token}".'


def _way_to_a_token(env: Mapping[str, str]) -> str | None:
    """How the user of the current context gets a token, in words; None if no kubeconfig tells.

    Nothing is run. Of several files (KUBECONFIG) the first that knows a context, a user, is taken, as kubectl
    does.
    """
    paths = env.get("KUBECONFIG") or os.path.join(env.get("HOME", ""), ".kube", "config")
    files = [found for path in paths.split(os.pathsep) if path and (found := _read(Path(path))) is not None]
    current = next((each["current-context"] for each in files if each.get("current-context")), None)
    context = _named(files, "contexts", "context", current)
    name = context.get("user")
    user = _named(files, "users", "user", name)
    plugin = user.get("exec")
    if isinstance(plugin, dict) and isinstance(plugin.get("command"), str):
        words = takewhile(WORD.fullmatch, map(str, plugin.get("args") or ()))
        return f"the user {name} of your kubeconfig gets one by {' '.join([plugin['command'], *words])}"
    if user.get("token") or user.get("tokenFile"):
        return f"the user {name} of your kubeconfig has one"
    return None


def _read(path: Path) -> Mapping[str, Any] | None:
    import yaml  # few messages need it

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    return found if isinstance(found, dict) else None


def _named(files: list[Mapping[str, Any]], kind: str, key: str, name: object) -> Mapping[str, Any]:
    for file in files:
        for each in file.get(kind) or () if isinstance(file.get(kind), list) else ():
            if isinstance(each, dict) and each.get("name") == name and isinstance(each.get(key), dict):
                found: Mapping[str, Any] = each[key]
                return found
    return {}
