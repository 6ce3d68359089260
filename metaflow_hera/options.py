"""The options of the verbs that both command lines have: `mfhera VERB` and `python flow.py hera VERB`.

Plain data, since the two are made with different copies of click. The names after the flags are those of
Metaflow's own plugin, so that its Deployer takes the same keyword arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Option = tuple[tuple[str, ...], Mapping[str, Any]]
"""The flags of an option (and the name of its value), and what click's `option` takes beside them."""

CREATE: tuple[Option, ...] = (
    (("--tag", "tags"), {"multiple": True, "help": "Tag for all that its runs make; repeatable."}),
    (
        ("--namespace", "user_namespace"),
        {"metavar": "NAME", "help": "Namespace to read other flows' results from."},
    ),
    (
        ("--max-workers",),
        {
            "type": int,
            "default": 100,
            "show_default": True,
            "help": "How many tasks of a foreach may run at once, for each foreach step.",
        },
    ),
    (("--workflow-timeout",), {"type": int, "metavar": "SECONDS", "help": "End a run after that."}),
    (
        ("--workflow-priority",),
        {"type": int, "metavar": "N", "help": "Runs of a higher priority go first."},
    ),
    (("--workflow-title",), {"metavar": "TEXT", "help": "Title in Argo's page; by default the flow's name."}),
    (
        ("--workflow-description",),
        {"metavar": "TEXT", "help": "Description in Argo's page; by default the flow's docstring."},
    ),
    (
        ("--authorize",),
        {"metavar": "TOKEN", "help": "The production token of a flow that somebody else deployed."},
    ),
    (("--generate-new-token",), {"is_flag": True, "help": "Begin a new production namespace."}),
    (
        ("--new-token", "given_token"),
        {"metavar": "TOKEN", "help": "Begin the production namespace of this token."},
    ),
)
"""What `deployment.CreateOptions` is made of, beside the deployment's name."""

EXPORT: tuple[Option, ...] = (
    (
        ("--only-json",),
        {"is_flag": True, "help": "Write what would be deployed as JSON; deploy nothing."},
    ),
    (("--only-yaml",), {"is_flag": True, "help": "The same as YAML, for kubectl apply."}),
    (("--only-python",), {"is_flag": True, "help": "The same as a script for Hera."}),
    (("--output",), {"metavar": "FILE", "help": "Write that to a file."}),
)
"""What makes `create` write its objects and deploy nothing."""

AUTHORIZE: tuple[Option, ...] = (
    (("--authorize",), {"metavar": "TOKEN", "help": "The production token, if somebody else deployed it."}),
)

TRIGGER: tuple[Option, ...] = (
    (("--tag", "tags"), {"multiple": True, "help": "Tag for all that the run makes; repeatable."}),
    (("--run-id-file",), {"metavar": "FILE", "help": "Write the run's id there."}),
    (("--watch", "hera_watch"), {"is_flag": True, "help": "Show the run until it ends."}),
    (
        ("--wait", "hera_wait"),
        {"is_flag": True, "help": "Wait for the end of the run; exit with 1 if it fails."},
    ),
)
"""How a run is started. Names that Metaflow does not keep a Parameter from having begin with `hera_`."""
