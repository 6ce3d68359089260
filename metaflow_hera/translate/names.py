"""Names that Argo and Kubernetes accept, never the same one twice."""

from __future__ import annotations

import base64
import hashlib
import re

from metaflow_hera.errors import UsageError

DEPLOYMENT_LIMIT = 45
"""The length of a deployment's name. Argo puts it into a label (63 characters) and adds a suffix to it
for each run, up to 18 characters for one of a schedule."""

TASK_LIMIT = 100
"""The length of a template's or a task's name. Argo allows 128 (validate.go)."""

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
"""Words of the language in which Argo evaluates `depends`: a task of such a name breaks what waits for it."""

VALID_NAME = re.compile(r"[a-z]([-a-z0-9.]*[a-z0-9])?")
ILLEGAL = re.compile(r"[^-a-z0-9.]")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def deployment_name(flow: str, given: str | None = None, project_flow: str | None = None) -> str:
    """The name of a flow's deployment: the one that Metaflow's own plugin gives it.

    `given` is the name of `--name`, `project_flow` the name with project and branch of @project. What
    is too long is cut and ends in a hash of the whole. Raises UsageError for a `given` that is no name.
    """
    if given is not None:
        if project_flow is not None:
            raise UsageError("--name does not go with @project: choose the deployment with --branch.")
        if not VALID_NAME.fullmatch(given) or len(given) > DEPLOYMENT_LIMIT:
            raise UsageError(
                f"--name {given!r} is not a name for a deployment: it must be at most {DEPLOYMENT_LIMIT} of "
                "a-z, 0-9, '-' and '.', begin with a letter and end with a letter or a digit."
            )
        return given
    wanted = project_flow or flow
    name = _legal(wanted)
    legal = ILLEGAL.sub("", name).strip("-.")
    if len(wanted) <= DEPLOYMENT_LIMIT and name == legal and name:
        return name
    digest = base64.b32encode(hashlib.sha1(wanted.encode(), usedforsecurity=False).digest())
    suffix = digest.decode()[:5].lower()
    return f"{legal[: DEPLOYMENT_LIMIT - 6].rstrip('-.') or 'flow'}-{suffix}"


def token_prefix(flow: str, name: str, project: str | None, branch: str | None) -> str:
    """What the production tokens of a deployment begin with, as in Metaflow's own plugin."""
    if project is None:
        return (name if name != _legal(flow) else flow).lower()
    digest = hashlib.sha1(f"{project}.{branch}".encode(), usedforsecurity=False).digest()
    return f"mfprj-{base64.b32encode(digest).decode()[:16]}".lower()


def is_label_value(text: str) -> bool:
    """Whether Kubernetes takes the text as the value of a label."""
    return LABEL_VALUE.fullmatch(text) is not None


class Names:
    """Names of templates, or of the tasks of one of them: each key gets one, no two the same.

    Two names that differ only in case count as the same, for people and file systems that see no difference.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def give(self, wanted: str) -> str:
        """A legal name as near to the wanted one as there is left."""
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
    if VALID_NAME.fullmatch(text):
        return text
    return re.sub(r"^[^A-Za-z0-9]+", "", text).translate(str.maketrans("", "", "_@+")).lower()
