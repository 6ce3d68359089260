"""Names that Argo and Kubernetes accept, never the same one twice."""

from __future__ import annotations

import base64
import hashlib
import re

from metaflow_hera.contract.kubernetes import SUBDOMAIN
from metaflow_hera.errors import OptionError

DEPLOYMENT_LIMIT = 45
"""The longest name of a deployment. Argo puts it into a label (63 characters) and adds a suffix to it
for each run, up to 16 characters."""

LONGEST_NAME = DEPLOYMENT_LIMIT + 2
"""The longest name of a deployment in a project: the two dots do not count, as with Metaflow."""

LEAST = 7
"""At least so many characters of project, branch and flow stay in a deployment's name that is cut."""

TASK_LIMIT = 100
"""The longest name of a template or a task. Argo allows 128 (validate.go)."""

EXPRESSION_WORDS = frozenset(
    [
        "and",
        "contains",
        "endsWith",
        "false",
        "in",
        "let",
        "matches",
        "nil",
        "not",
        "or",
        "startsWith",
        "true",
    ]
)
"""Words of the language of Argo's `depends`: a task with such a name breaks what waits for it."""

GIVEN_NAME = re.compile(r"[a-z]([-a-z0-9.]*[a-z0-9])?")
ILLEGAL = re.compile(r"[^-a-z0-9.]")


def deployment_name(
    flow: str, given: str | None = None, project: str | None = None, branch: str | None = None
) -> str:
    """The name of a flow's deployment: the one that Metaflow's own plugin gives it.

    `given` is the name of `--name`; `project` and `branch` are those of @project. A name that is too long is
    cut and ends in a hash of the whole. Raises OptionError if `given` is not a valid name.
    """
    if given is not None:
        if project is not None:
            raise OptionError("--name does not go with @project: choose the deployment with --branch.")
        return given_name(given)
    wanted = flow if project is None else f"{project}.{branch}.{flow}"
    if len(wanted) <= DEPLOYMENT_LIMIT:
        name = _legal(wanted)
    elif project is None:
        name = ""
    else:
        name = f"{_legal(_abridged(project, str(branch), flow))}-{_digest(wanted)}"
    if SUBDOMAIN.fullmatch(name):
        return name
    bare = re.sub(r"[^a-z0-9]*\.[^a-z0-9]*", ".", ILLEGAL.sub("", _legal(wanted))).strip("-.")
    return f"{bare[: DEPLOYMENT_LIMIT - 6].rstrip('-.') or 'flow'}-{_digest(wanted)}"


def given_name(name: str, limit: int = DEPLOYMENT_LIMIT) -> str:
    """A deployment's name as a user gives it. Raises OptionError if it is not valid."""
    if not GIVEN_NAME.fullmatch(name) or not SUBDOMAIN.fullmatch(name) or len(name) > limit:
        raise OptionError(
            f"--name {name!r} is not a valid name for a deployment: use at most {limit} of "
            "a-z, 0-9, '-' and '.', begin with a letter and end with a letter or a digit."
            + (f" The deployment of a flow {name} is {_legal(name)}." if name.isidentifier() else "")
        )
    return name


def token_prefix(flow: str, name: str, project: str | None, branch: str | None) -> str:
    """The prefix of a deployment's production tokens, as in Metaflow's own plugin."""
    if project is None:
        return (name if name != _legal(flow) else flow).lower()
    digest = hashlib.sha1(f"{project}.{branch}".encode(), usedforsecurity=False).digest()
    return f"mfprj-{base64.b32encode(digest).decode()[:16]}".lower()


class Names:
    """Names of templates, or of the tasks of one of them: each key gets one, no two the same.

    Two names that differ only in case count as the same, for people and file systems that see no difference.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def give(self, wanted: str) -> str:
        """A valid name as close to the wanted one as possible."""
        base = re.sub(r"[^A-Za-z0-9-]", "-", wanted).strip("-") or "step"
        if base in EXPRESSION_WORDS:
            base = f"{base}-step"
        base = base[:TASK_LIMIT].rstrip("-")
        name, count = base, 1
        while name.lower() in self._taken:
            count += 1
            name = f"{base}-{count}"
        self._taken.add(name.lower())
        return name


def _legal(text: str) -> str:
    """As Metaflow's own plugin does it (sanitize_for_argo in argo_workflows_cli.py)."""
    if GIVEN_NAME.fullmatch(text):
        return text
    bare = re.sub(r"^[^A-Za-z0-9]+", "", text).translate(str.maketrans("", "", "_@+")).lower()
    return re.sub(r"[^a-z0-9]*\.[^a-z0-9]*", ".", bare)


def _abridged(project: str, branch: str, flow: str) -> str:
    """The three parts cut to a common length, each to its share of it.

    As Metaflow's own plugin does it (resolve_workflow_name_v2), so that it finds the same deployment.
    """
    parts = (project, branch, flow)
    spare = DEPLOYMENT_LIMIT - 6 - len(parts) * LEAST
    shares = [spare * len(part) // len("".join(parts)) for part in parts]
    while sum(shares) < spare:
        shares[shares.index(min(shares))] += 1
    room = [LEAST + share for share in shares]
    return ".".join([_middle_cut(project, room[0]), branch[: room[1]], _middle_cut(flow, room[2])])


def _middle_cut(text: str, length: int) -> str:
    head = length // 2
    return text if len(text) <= length else text[:head] + text[head - length :]


def _digest(text: str) -> str:
    digest = hashlib.sha1(text.encode(), usedforsecurity=False).digest()
    return base64.b32encode(digest).decode()[:5].lower()
