"""The options of a deployment: each is one field here, and everything else about it follows from that.

These fields define the options of `mfhera create` and `lint`, those of `python flow.py hera`, the keywords
of Metaflow's Deployer, the signatures of `deploy` and `translate`, the checks, the keys of the
configuration, the plain fields of the manifest, and docs/reference/options.md (`nox -s reference`). Names are
those of Metaflow's own plugin, so that its Deployer takes the same keywords.
"""

# Without `annotations` from `__future__`, so that a field has its type and not the text of it.

import re
from collections.abc import Sequence
from typing import Optional

from metaflow_hera.choices import checks, readers
from metaflow_hera.choices.option import option, options_of
from metaflow_hera.choices.tables import dataclass
from metaflow_hera.contract import manifest
from metaflow_hera.errors import OptionError

SENSOR, BINDING = "sensor", "workflow-event-binding"
NOTIFIES = ("notify_on_error", "notify_on_success")


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a user can choose of the objects of a deployment.

    None and () mean what the configuration says, else Argo's default. Times are in seconds.

    Raises OptionError for a value that is not valid.
    """

    tags: Sequence[str] = option(
        (),
        "Tag of its runs and their tasks.",
        flags="--tag",
        place="the tags of Metaflow's runs and tasks",
    )
    user_namespace: Optional[str] = option(
        None,
        "Namespace to read other flows' results from.",
        flags="--namespace",
        metavar="NAME",
        place="Metaflow's namespace in the pods",
    )
    max_workers: int = option(
        100,
        "How many tasks of a foreach may run at once, for each foreach step.",
        check=checks.at_least(1),
        place="`parallelism` of the template of each foreach",
    )
    splits_per_pod: Sequence[str] = option(
        (),
        "How many tasks of a foreach one pod runs, one after the other: of each foreach whose body is one "
        "step, or of the one that a step opens.",
        metavar="[STEP=]N",
        check=checks.splits,
        place="the items of the foreachs, and the template of the step in each",
    )
    workflow_timeout: Optional[int] = option(
        None,
        "End a run after this many seconds.",
        metavar="SECONDS",
        check=checks.at_least(1),
        read=int,
        field="spec.activeDeadlineSeconds",
    )
    workflow_priority: Optional[int] = option(
        None,
        "Runs of a higher priority go first.",
        metavar="N",
        check=checks.at_least(-checks.LARGEST),
        read=int,
        field="spec.priority",
    )
    workflow_title: Optional[str] = option(
        None,
        "Title in Argo's UI; by default the flow's name.",
        metavar="TEXT",
        place=f"the annotation `{manifest.TITLE}`",
    )
    workflow_description: Optional[str] = option(
        None,
        "Description in Argo's UI; by default the flow's docstring.",
        metavar="TEXT",
        place=f"the annotation `{manifest.DESCRIPTION}`",
    )
    concurrency_policy: Optional[str] = option(
        None,
        "What a schedule does while its last run is still active: Allow another run, Forbid it, "
        "or Replace the active one.",
        metavar="POLICY",
        check=checks.one_of("Allow", "Forbid", "Replace"),
        read=str,
        place="`spec.concurrencyPolicy` of a CronWorkflow; Allow by default",
    )
    starting_deadline: Optional[int] = option(
        None,
        "How many seconds late a missed schedule still starts its run; 3540 by default.",
        metavar="SECONDS",
        check=checks.at_least(0),
        read=int,
        place="`spec.startingDeadlineSeconds` of a CronWorkflow",
    )
    successful_history_limit: Optional[int] = option(
        None,
        "How many scheduled runs that succeeded Argo keeps.",
        metavar="N",
        check=checks.at_least(0),
        read=int,
        place="`spec.successfulJobsHistoryLimit` of a CronWorkflow",
    )
    failed_history_limit: Optional[int] = option(
        None,
        "How many scheduled runs that failed Argo keeps.",
        metavar="N",
        check=checks.at_least(0),
        read=int,
        place="`spec.failedJobsHistoryLimit` of a CronWorkflow",
    )
    events: Optional[str] = option(
        None,
        "What starts runs on events: a sensor of Argo Events (by default), or a workflow-event-binding, "
        "for an export to a cluster without Argo Events.",
        metavar="KIND",
        check=checks.one_of(SENSOR, BINDING),
        read=str,
        place="a Sensor, or WorkflowEventBindings",
    )
    auto_emit_argo_events: bool = option(
        True,
        "Publish an event when a step succeeds. On by default.",
        place="the variables of the pods",
    )
    notify_on_error: bool = option(
        False,
        "Notify when a run fails.",
        place="a pod of `spec.onExit` that notifies",
    )
    notify_on_success: bool = option(
        False,
        "Notify when a run succeeds.",
        place="a pod of `spec.onExit` that notifies",
    )
    notify_slack_webhook_url: Optional[str] = option(
        None,
        "Slack incoming webhook to notify.",
        metavar="URL",
        read=str,
        only_with=NOTIFIES,
        place="a variable of the pod that notifies",
    )
    notify_pager_duty_integration_key: Optional[str] = option(
        None,
        "PagerDuty integration key (Events API v2) to notify.",
        metavar="KEY",
        read=str,
        only_with=NOTIFIES,
        place="a variable of the pod that notifies",
    )
    notify_incident_io_api_key: Optional[str] = option(
        None,
        "incident.io API key to notify.",
        metavar="KEY",
        read=str,
        only_with=NOTIFIES,
        place="a variable of the pod that notifies",
    )
    incident_io_alert_source_config_id: Optional[str] = option(
        None,
        "incident.io alert source to notify.",
        metavar="ID",
        read=str,
        only_with=NOTIFIES,
        place="a variable of the pod that notifies",
    )
    incident_io_metadata: Sequence[str] = option(
        (),
        "Metadata of the incident.io alerts.",
        metavar="KEY=VALUE",
        check=checks.pairs,
        read=readers.words,
        only_with=NOTIFIES,
        place="a variable of the pod that notifies",
    )
    ttl_after_success: Optional[int] = option(
        None,
        "How many seconds Argo keeps a run that succeeded.",
        metavar="SECONDS",
        check=checks.at_least(0),
        read=int,
        field="spec.ttlStrategy.secondsAfterSuccess",
    )
    ttl_after_failure: Optional[int] = option(
        None,
        "How many seconds Argo keeps a run that failed.",
        metavar="SECONDS",
        check=checks.at_least(0),
        read=int,
        field="spec.ttlStrategy.secondsAfterFailure",
    )
    pod_gc: Optional[str] = option(
        None,
        "When pods are deleted, such as OnPodCompletion or OnWorkflowSuccess.",
        metavar="STRATEGY",
        check=checks.one_of("OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess"),
        read=str,
        field="spec.podGC.strategy",
    )
    archive_logs: Optional[bool] = option(
        None,
        "Let Argo archive the pods' logs in its artifact repository.",
        read=readers.flag,
        field="spec.archiveLogs",
    )
    metrics: Optional[bool] = option(
        None,
        "Let Argo's controller tell Prometheus how runs and steps end, and how long they take.",
        read=readers.flag,
        place="`spec.metrics`, and `metrics` of the templates of steps",
    )
    priority_class: Optional[str] = option(
        None,
        "Priority class of the pods.",
        metavar="NAME",
        read=str,
        field="spec.podPriorityClassName",
    )
    service_account: Optional[str] = option(
        None,
        "Service account of pods for which @kubernetes names none.",
        metavar="NAME",
        read=str,
        field="spec.serviceAccountName",
    )
    node_selectors: Sequence[str] = option(
        (),
        "Label of the nodes to run on.",
        flags="--node-selector",
        metavar="KEY=VALUE",
        check=checks.label_pairs,
        read=readers.words,
        field="spec.nodeSelector",
    )
    tolerations: Sequence[str] = option(
        (),
        "Toleration of the pods.",
        flags="--toleration",
        metavar="JSON",
        check=checks.tolerations,
        read=readers.json_items,
        field="spec.tolerations",
    )
    image_pull_secrets: Sequence[str] = option(
        (),
        "Secret to pull images with.",
        flags="--image-pull-secret",
        metavar="NAME",
        read=readers.words,
        place="`spec.imagePullSecrets`, with those of @kubernetes",
    )
    labels: Sequence[str] = option(
        (),
        "Label of the runs and their pods.",
        flags="--label",
        metavar="KEY=VALUE",
        check=checks.label_pairs,
        read=readers.words,
        place="`metadata.labels` of the template, its workflows and their pods",
    )
    annotations: Sequence[str] = option(
        (),
        "Annotation of the runs and their pods.",
        flags="--annotation",
        metavar="KEY=VALUE",
        check=checks.annotation_pairs,
        read=readers.words,
        place="`metadata.annotations` of the template, its workflows and their pods",
    )

    def __post_init__(self) -> None:
        for each in options_of(type(self)):
            value = getattr(self, each.name)
            if value is not None:
                if each.kind in (int, str) and not each.repeatable:
                    checks.of_kind(each.flag, value, each.kind)
                each.check(each.flag, value)

    def check_notifications(self) -> None:
        """Raise OptionError if it is not clear whom to notify, or when."""
        places = (
            self.notify_slack_webhook_url,
            self.notify_pager_duty_integration_key,
            self.notify_incident_io_api_key,
        )
        asked = self.notify_on_error or self.notify_on_success
        if asked and not any(places):
            raise OptionError(
                "Say whom to notify: --notify-slack-webhook-url, --notify-pager-duty-integration-key or "
                "--notify-incident-io-api-key."
            )
        if any(places) and not asked:
            raise OptionError("Say when to notify: --notify-on-error, --notify-on-success or both.")
        if self.notify_incident_io_api_key and not self.incident_io_alert_source_config_id:
            raise OptionError("incident.io also needs --incident-io-alert-source-config-id.")
        url = self.notify_slack_webhook_url
        if url and not re.fullmatch(r"https?://[^/\s]\S*", url):
            raise OptionError("--notify-slack-webhook-url is not a URL: give one that begins with https://.")


@dataclass(frozen=True, kw_only=True)
class CreateOptions(Choices):
    """The same, with the deployment's name and production token.

    Raises OptionError for a value that is not valid, or for two that do not go together.
    """

    name: Optional[str] = option(
        None,
        "Name of the deployment, instead of the flow's.",
        metavar="NAME",
        place="`metadata.name`",
    )
    authorize: Optional[str] = option(
        None,
        "The production token of a flow that somebody else deployed.",
        metavar="TOKEN",
    )
    generate_new_token: bool = option(
        False,
        "Move to a new production namespace, with a new token.",
        flags="--generate-new-token",
        place=f"the annotation `{manifest.PRODUCTION_TOKEN}`",
    )
    given_token: Optional[str] = option(
        None,
        "Move to the production namespace of this token.",
        flags="--new-token",
        metavar="TOKEN",
        place=f"the annotation `{manifest.PRODUCTION_TOKEN}`",
    )
    from_branch: Optional[str] = option(
        None,
        "Deploy the code package that is live on this branch of the @project, without packing anew.",
        metavar="BRANCH",
        place=f"the parameter `{manifest.CODE_PARAMETER}`",
    )
    message: Optional[str] = option(
        None,
        "A note on this version, which mfhera versions shows.",
        metavar="TEXT",
        place="the history of the deployment's versions",
    )

    def __post_init__(self) -> None:
        if self.generate_new_token and self.given_token:
            raise OptionError("--generate-new-token and --new-token do not go together: choose one.")
        super().__post_init__()
