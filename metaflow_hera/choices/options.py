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
        ("--concurrency-policy",),
        {
            "metavar": "POLICY",
            "help": "What a schedule does while its last run goes on: Allow another, Forbid it, "
            "Replace the run.",
        },
    ),
    (
        ("--starting-deadline",),
        {
            "type": int,
            "metavar": "SECONDS",
            "help": "How late a schedule that was missed still starts its run; 3540 by default.",
        },
    ),
    (
        ("--successful-history-limit",),
        {"type": int, "metavar": "N", "help": "How many scheduled runs that succeeded Argo keeps."},
    ),
    (
        ("--failed-history-limit",),
        {"type": int, "metavar": "N", "help": "How many scheduled runs that failed Argo keeps."},
    ),
    (
        ("--events",),
        {
            "metavar": "KIND",
            "help": "What starts runs on events: a sensor of Argo Events (by default), or a "
            "workflow-event-binding, for an export to a cluster without Argo Events.",
        },
    ),
    (
        ("--auto-emit-argo-events/--no-auto-emit-argo-events",),
        {"default": True, "help": "Publish an event when a step ends well. On by default."},
    ),
    (
        ("--notify-on-error/--no-notify-on-error",),
        {"default": False, "help": "Notify when a run fails."},
    ),
    (
        ("--notify-on-success/--no-notify-on-success",),
        {"default": False, "help": "Notify when a run succeeds."},
    ),
    (
        ("--notify-slack-webhook-url",),
        {"metavar": "URL", "help": "Incoming webhook of Slack to notify."},
    ),
    (
        ("--notify-pager-duty-integration-key",),
        {"metavar": "KEY", "help": "Integration key of PagerDuty's Events API v2 to notify."},
    ),
    (("--notify-incident-io-api-key",), {"metavar": "KEY", "help": "API key of incident.io to notify."}),
    (
        ("--incident-io-alert-source-config-id",),
        {"metavar": "ID", "help": "The alert source of incident.io."},
    ),
    (
        ("--incident-io-metadata",),
        {"multiple": True, "metavar": "KEY=VALUE", "help": "Metadata of alerts of incident.io; repeatable."},
    ),
    (
        ("--ttl-after-success",),
        {"type": int, "metavar": "SECONDS", "help": "How long Argo keeps a run that succeeded."},
    ),
    (
        ("--ttl-after-failure",),
        {"type": int, "metavar": "SECONDS", "help": "How long Argo keeps a run that failed."},
    ),
    (
        ("--pod-gc",),
        {
            "metavar": "STRATEGY",
            "help": "When pods are deleted, such as OnPodCompletion or OnWorkflowSuccess.",
        },
    ),
    (
        ("--archive-logs/--no-archive-logs",),
        {"default": None, "help": "Let Argo archive the pods' logs in its artifact repository."},
    ),
    (("--priority-class",), {"metavar": "NAME", "help": "Priority class of the pods."}),
    (
        ("--service-account",),
        {"metavar": "NAME", "help": "Service account of pods for which @kubernetes names none."},
    ),
    (
        ("--node-selector", "node_selectors"),
        {"multiple": True, "metavar": "KEY=VALUE", "help": "Label of the nodes to run on; repeatable."},
    ),
    (
        ("--toleration", "tolerations"),
        {"multiple": True, "metavar": "JSON", "help": "Toleration of the pods; repeatable."},
    ),
    (
        ("--image-pull-secret", "image_pull_secrets"),
        {"multiple": True, "metavar": "NAME", "help": "Secret to pull images with; repeatable."},
    ),
    (
        ("--label", "labels"),
        {"multiple": True, "metavar": "KEY=VALUE", "help": "Label of the runs and their pods; repeatable."},
    ),
    (
        ("--annotation", "annotations"),
        {"multiple": True, "metavar": "KEY=VALUE", "help": "Annotation of the same; repeatable."},
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
    (
        ("--output",),
        {"metavar": "FILE", "help": "Write that to a file; to a folder, one file for each object."},
    ),
    (
        ("--dry-run",),
        {"is_flag": True, "help": "Check what would be deployed, as lint does; deploy nothing."},
    ),
    (
        ("--real-token",),
        {"is_flag": True, "help": "Write the production token of what is deployed at the server."},
    ),
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

LOGS: tuple[Option, ...] = (
    (("--follow", "-f"), {"is_flag": True, "help": "Go on with the lines that come, until the run ends."}),
    (("--stdout",), {"is_flag": True, "help": "Only stdout; of tasks that still run what is stored so far."}),
    (("--stderr",), {"is_flag": True, "help": "Only stderr; of tasks that still run what is stored so far."}),
    (("--attempt",), {"type": int, "metavar": "N", "help": "Only this attempt, counted from 0."}),
    (("--timestamps",), {"is_flag": True, "help": "The time before each line, as far as it is known."}),
    (("--tail",), {"type": int, "metavar": "N", "help": "Only the last N lines."}),
)
"""Which lines `logs` shows, and how."""

WATCH: tuple[Option, ...] = (
    (("--watch",), {"is_flag": True, "help": "Show the run until it ends."}),
    (("--wait",), {"is_flag": True, "help": "Wait for the end of the run; exit with 1 if it fails."}),
)
"""What to do once a run goes on, or another one has started."""
RUN_ID_FILE: tuple[Option, ...] = (
    (("--run-id-file",), {"metavar": "FILE", "help": "Write the new run's id there."}),
)
