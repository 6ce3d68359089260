"""The environment variables that a manifest sets and a pod reads, or one part of a pod sets for another.

Two parts repeat their names, since they cannot import this package: `runtime.bootstrap`, which runs before
the code package is unpacked, and the embedded Argo. tests/unit/test_contract.py checks that they agree.
"""

from __future__ import annotations

# This package's own: what a pod must do.

PATH = "METAFLOW_HERA_PATH"
"""The task's path, as `-0-3`. Every pod of a deployment has this variable, and nothing else has it."""
RANGE = "METAFLOW_HERA_RANGE"
"""The items of a foreach whose tasks the pod runs one after the other, as `0-99`."""
SPLITS_PER_POD = "METAFLOW_HERA_SPLITS_PER_POD"
"""How many items there are in each range that a foreach step writes."""
RETRIES = "METAFLOW_HERA_RETRIES"
"""How often Argo has retried the pod; only where the step is retried."""
PROJECT = "METAFLOW_HERA_PROJECT"
"""Metaflow's options that say which branch of @project it is, a JSON list: in place of the code package's."""
TAGS = "METAFLOW_HERA_TAGS"
"""The deployment's tags, a JSON list."""
VERSION = "METAFLOW_HERA_VERSION"
"""The number of the deployment's version."""
RUN_TAGS = "METAFLOW_HERA_RUN_TAGS"
"""The run's own tags, a JSON list encoded where Kubernetes would change it."""
NAMESPACE = "METAFLOW_HERA_NAMESPACE"
"""Metaflow's namespace for the run's tasks."""
SCHEDULED_TIME = "METAFLOW_HERA_SCHEDULED_TIME"
"""The time that the run was scheduled for, encoded where Kubernetes would change it."""
NO_EVENTS = "METAFLOW_HERA_NO_EVENTS"
"""Set where a task that succeeds publishes no event."""
TMPFS = "METAFLOW_HERA_TMPFS"
"""The path of a tmpfs that is not METAFLOW_TEMPDIR."""
CARDS = "METAFLOW_HERA_CARDS"
"""The folder in which Metaflow on the user's machine looks for the cards of the flow's runs."""
POD_IP = "METAFLOW_HERA_POD_IP"
"""The pod's address, for the other nodes of a @parallel step."""
ENCODED = "METAFLOW_HERA_ENCODED"
"""The variables that Argo or Kubernetes would change on the way: a JSON object, in base64."""
OWN_PACKAGE = "METAFLOW_HERA_OWN_PACKAGE"
"""Set where the pod must not share the unpacked code package with others."""

RESULTS = "METAFLOW_HERA_RESULTS"
"""Set where the pod's program is to tell what its task has stored, and not to run it: `manifest.RESULTS`."""

# This package's own: where a pod writes its results.

OUTPUT = "METAFLOW_HERA_OUTPUT"
"""The file to write a foreach's items, or a switch's choice, to."""
ITERATIONS = "METAFLOW_HERA_ITERATIONS"
"""The file to write to how many iterations a loop had."""
MESSAGE = "METAFLOW_HERA_MESSAGE"
"""The file for the termination message, which Kubernetes passes to Argo."""
FINISHED = "METAFLOW_HERA_FINISHED"
"""The file to create once a task has finished properly; the runtime sets it for its task."""
REASON = "METAFLOW_HERA_REASON"
"""The file to write the reason for a task's failure to; the runtime sets it for its task."""

# This package's own: for a pod of the exit handler.

HOOKS = "METAFLOW_HERA_HOOKS"
"""What to run: JSON with `functions` and `notify` by outcome, and `places`."""
OUTCOME = "METAFLOW_HERA_OUTCOME"
"""How the run ended: `success` or `error`."""
STATUS = "METAFLOW_HERA_STATUS"
"""How the run ended, as Argo's status."""

# The embedded Argo's, which it sets in all of its pods.

EMBEDDED_CACHE = "EMBEDDED_ARGO_CACHE"
"""A folder that all pods on this machine share."""
EMBEDDED_EVENTS_URL = "EMBEDDED_ARGO_EVENTS_URL"
"""Where to post events; append the Kubernetes namespace."""
EMBEDDED_FIRST = "EMBEDDED_ARGO_FIRST"
"""For what pods are forked from: the own variables of the first of them, a JSON object."""
EMBEDDED_HOME = "EMBEDDED_ARGO_HOME"
"""The folder with its state: a task finds the server by it."""

# Argo's, which it sets in all of its pods.

PROGRESS_FILE = "ARGO_PROGRESS_FILE"
"""The file in which a pod may tell how far it is, as `57/100`."""

# Argo's, under the names of Metaflow's own plugin.

ARGO_TEMPLATE = "ARGO_WORKFLOW_TEMPLATE"
ARGO_NAME = "ARGO_WORKFLOW_NAME"
ARGO_NAMESPACE = "ARGO_WORKFLOW_NAMESPACE"

# Metaflow's (metaflow/plugins/argo/argo_workflows.py).

FLOW_NAME = "METAFLOW_FLOW_NAME"
FLOW_FILENAME = "METAFLOW_FLOW_FILENAME"
CONFIG_VALUES = "METAFLOW_FLOW_CONFIG_VALUE"
"""The values of the flow's Configs: in a pod, where each is in the code package."""
RUN_ID = "METAFLOW_RUN_ID"
STEP_NAME = "METAFLOW_STEP_NAME"
RETRY_COUNT = "METAFLOW_RETRY_COUNT"
OWNER = "METAFLOW_OWNER"
CODE_URL = "METAFLOW_CODE_URL"
"""Where the code package is, encoded where Kubernetes would change it."""
CODE_SHA = "METAFLOW_CODE_SHA"
"""The hash of the code package's content: the last part of its URL. The bootstrap sets it."""
CODE_DATASTORE = "METAFLOW_CODE_DS"
"""The type of the datastore that holds the code package."""
CODE_METADATA = "METAFLOW_CODE_METADATA"
LOCAL_ROOT = "METAFLOW_DATASTORE_SYSROOT_LOCAL"
TOKEN_HOME = "METAFLOW_TOKEN_HOME"
"""The folder in which Metaflow keeps production tokens."""
TEMPDIR = "METAFLOW_TEMPDIR"
WEBHOOK_URL = "METAFLOW_ARGO_EVENTS_WEBHOOK_URL"
WEBHOOK_AUTH = "METAFLOW_ARGO_EVENTS_WEBHOOK_AUTH"
KUBERNETES_WORKLOAD = "METAFLOW_KUBERNETES_WORKLOAD"
KUBERNETES_NAMESPACE = "METAFLOW_KUBERNETES_NAMESPACE"
POD_NAMESPACE = "METAFLOW_KUBERNETES_POD_NAMESPACE"
POD_NAME = "METAFLOW_KUBERNETES_POD_NAME"
POD_ID = "METAFLOW_KUBERNETES_POD_ID"
SERVICE_ACCOUNT = "METAFLOW_KUBERNETES_SERVICE_ACCOUNT_NAME"
NODE_IP = "METAFLOW_KUBERNETES_NODE_IP"

PARAMETER = "METAFLOW_INIT_"
"""The prefix of the variables from which Metaflow's `init` reads Parameters, such as METAFLOW_INIT_ALPHA."""
EVENT = "METAFLOW_ARGO_EVENT_PAYLOAD_"
"""The prefix of the variables with events; the kind and a name of the event follow."""


def parameter_variable(name: str) -> str:
    """The variable from which Metaflow's `init` reads a Parameter."""
    return PARAMETER + name.upper().replace("-", "_")
