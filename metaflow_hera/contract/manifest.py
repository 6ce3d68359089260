"""The names in a manifest that readers of a template, a workflow or a run rely on."""

from __future__ import annotations

# Parameters of the workflow.

TAGS_PARAMETER = "metaflow-run-tags"
"""The tags of one run, a JSON list."""
CODE_PARAMETER = "metaflow-code-package"
"""Where the code package is: a retry can give the run another one."""
SCHEDULED_TIME_PARAMETER = "metaflow-scheduled-time"
"""The time that a run was scheduled for, in RFC 3339 format."""
OWN_PARAMETERS = (TAGS_PARAMETER, CODE_PARAMETER, SCHEDULED_TIME_PARAMETER)
"""The names that no Parameter of a flow can have."""

# Parameters of templates.

STEP = "step"
"""An input: the step that a pod runs."""
PATH = "path"
"""An input: the index in each foreach around a task, outermost first, as `-0-3`."""
RANGE = "split-range"
"""An input: the items of a foreach whose tasks a pod runs, as `0-99`; PATH is then that of the foreach."""
ITEMS = "items"
"""The output of a foreach step, a list of indices or of ranges, and the input of what runs its body."""
CHOICE = "next"
"""The output of a switch step: the step it chose."""
ITERATIONS = "iterations"
"""An output of a loop: how many iterations it had."""
OUTCOME = "outcome"
"""An input of the exit handler's pods: SUCCESS or ERROR."""
SUCCESS, ERROR = "success", "error"

OUT_OF_ATTEMPTS = 3
"""The exit code of a pod whose task has used all its attempts: Argo does not retry it."""
TASKS_LEFT = 4
"""The exit code of a pod of several tasks of which one has an attempt left: Argo retries it."""
KILLED = (137, 143)
"""The exit codes of a pod that was ended by SIGKILL or SIGTERM."""

RUN_PREFIX = "argo-"
"""The prefix of a run's id; the name of its workflow follows, as with Metaflow's own plugin."""

# Labels. The keys are those that Kubernetes recommends, the values are those of Metaflow's own plugin.

PART_OF = "app.kubernetes.io/part-of"
METAFLOW = "metaflow"
"""The value of PART_OF for all that belongs to a flow."""
KIND = "app.kubernetes.io/name"
"""What an object is: one of the four that follow."""
A_FLOW, A_RUN, A_TASK, A_SENSOR = "metaflow-flow", "metaflow-run", "metaflow-task", "metaflow-sensor"
TEMPLATE_LABEL = "workflows.argoproj.io/workflow-template"
"""Where Argo notes which template a workflow was submitted from; here also on those started in other ways."""
RESUBMITTED_FROM = "workflows.argoproj.io/resubmitted-from-workflow"
"""Where Argo notes which workflow was resubmitted."""
SCHEDULED_FOR = "workflows.argoproj.io/scheduled-time"
"""The annotation in which Argo notes the time that a run was scheduled for, in RFC 3339 format."""
ARCHIVED = "workflows.argoproj.io/workflow-archiving-status"
"""Where Argo notes that a workflow is in its archive, or will be."""
ONLY_ARCHIVED = "Persisted"
"""What Argo notes there in the copy that its archive has."""
INSTANCE = "workflows.argoproj.io/controller-instanceid"
"""Which controller an object is for: one sees those with its own instance id, or those without any."""
SELECTOR = f"{PART_OF}={METAFLOW}"
"""Kubernetes' label selector for all that belongs to flows."""

# Annotations, some of them labels as well: those of Metaflow's own plugin, but for USER_KEYS and those of a
# version.

METAFLOW_PREFIX = "metaflow/"
FLOW_NAME = "metaflow/flow_name"
"""The name of the flow."""
OWNER = "metaflow/owner"
"""Who deployed it."""
USER = "metaflow/user"
"""Always `argo-workflows`: what Metaflow's own plugin writes."""
PRODUCTION_TOKEN = "metaflow/production_token"
"""The token that gives access to the deployment, and names Metaflow's namespace of its runs."""
DEPLOYMENT_TIMESTAMP = "metaflow/deployment_timestamp"
"""When it was deployed, in RFC 3339 format."""
VERSION = "metaflow/deployment_version"
"""The number of a version: an annotation of each object of a deployment, and a label of its runs."""
VERSION_ID = "metaflow/deployment_version_id"
"""Which version it is: two deployers at once may give two versions the same number, never the same id."""
CRON_WORKFLOWS = "metaflow/cron_workflows"
"""The names of the cron workflows that a version has beside its template, separated by commas."""
TAGS = "metaflow/tags"
"""The tags of the deployment's runs, a JSON list."""
PARAMETERS = "metaflow/parameters"
"""What is needed to check values for a flow's Parameters: a JSON object, by their names."""
GRAPH = "metaflow/dag"
"""The flow's own graph, on its runs: a JSON object. That of Metaflow's own plugin has other keys. Left out
where Kubernetes would not accept it."""
PROJECT_NAME = "metaflow/project_name"
"""The name of the @project."""
BRANCH_NAME = "metaflow/branch_name"
"""The branch of the @project, such as `prod` or `user.ann`."""
RUN_ID = "metaflow/run_id"
"""The run's id in Metaflow."""
STEP_NAME = "metaflow/step_name"
"""The step that a pod runs."""
TRIGGERS = "metaflow/triggers"
"""The events that start the flow: a JSON list of their names and kinds."""
TRIGGERED_BY = "metaflow/triggered_by"
"""The same, on a run that an event started."""
SENSOR_NAME = "metaflow/sensor_name"
"""The sensor that starts the flow on events."""
SENSOR_NAMESPACE = "metaflow/sensor_namespace"
"""The Kubernetes namespace of that sensor."""
USER_KEYS = "metaflow/user_keys"
"""The keys of a user's own labels and annotations, separated by commas: a new version replaces them."""
ARGO_PREFIX = "workflows.argoproj.io/"
TITLE = "workflows.argoproj.io/title"
"""The title in Argo's UI."""
DESCRIPTION = "workflows.argoproj.io/description"
"""The description in Argo's UI."""
POD_GROUP = "scheduling.x-k8s.io/pod-group"
"""What the pods of one @parallel step have in common: none of them can work alone. The key is that of a label
of Kubernetes' coscheduling plugin; a label's value would be too short for what is needed here."""

WARM = "embedded-argo/warm"
"""Lets the embedded Argo fork pods from one process: the names of the variables that are a pod's own."""
RESULTS = "embedded-argo/results"
"""Lets the embedded Argo ask a pod's program for what its task has stored: the name of the variable with the
request."""


def run_id(workflow: str) -> str:
    """The id in Metaflow of a workflow's run."""
    return RUN_PREFIX + workflow


def version_tag(version: int | str) -> str:
    """The tag in Metaflow of the runs of a version."""
    return f"version:{version}"


def event_name(flow: str, step: str) -> str:
    """The event that a task of a step publishes when it succeeds, as with Metaflow's own plugin.

    `flow` is the flow's name, preceded by its project and branch where it has them.
    """
    return f"metaflow.{flow}.{step}"


def sensor_name(deployment: str) -> str:
    """The name of a deployment's sensor, as in Metaflow's own plugin: Argo Events allows no dots."""
    return deployment.replace(".", "-")
