"""The bodies of Argo's calls: which fields each has, and of which types, after its pkg/apiclient/*.proto.

Argo's JSON schema has its objects only. Kinds with a dot are objects whose fields are checked elsewhere.
"""

from __future__ import annotations

NAMED = {"name": "string", "namespace": "string"}
CREATED = {"namespace": "string", "createOptions": "v1.CreateOptions"}

MESSAGES: dict[str, dict[str, str]] = {
    "WorkflowCreateRequest": {
        **CREATED, "workflow": "Workflow", "instanceID": "string", "serverDryRun": "bool",
    },
    "WorkflowLintRequest": {"namespace": "string", "workflow": "Workflow"},
    "WorkflowSubmitRequest": {
        "namespace": "string", "resourceKind": "string", "resourceName": "string",
        "submitOptions": "SubmitOpts",
    },
    "WorkflowRetryRequest": {
        **NAMED, "restartSuccessful": "bool", "nodeFieldSelector": "string", "parameters": "[]string",
    },
    "WorkflowResubmitRequest": {**NAMED, "memoized": "bool", "parameters": "[]string"},
    "WorkflowSuspendRequest": NAMED,
    "WorkflowResumeRequest": {**NAMED, "nodeFieldSelector": "string"},
    "WorkflowStopRequest": {**NAMED, "nodeFieldSelector": "string", "message": "string"},
    "WorkflowTerminateRequest": NAMED,
    "WorkflowTemplateRequest": {**CREATED, "name": "string", "template": "WorkflowTemplate"},
    "CronWorkflowRequest": {**CREATED, "name": "string", "cronWorkflow": "CronWorkflow"},
    "CronWorkflowSuspendRequest": NAMED,
    "SensorRequest": {**CREATED, "name": "string", "sensor": "Sensor"},
    "SubmitOpts": {
        "name": "string", "generateName": "string", "entryPoint": "string", "parameters": "[]string",
        "serviceAccount": "string", "dryRun": "bool", "serverDryRun": "bool", "labels": "string",
        "ownerReference": "v1.OwnerReference", "annotations": "string", "podPriorityClassName": "string",
        "priority": "int32", "artifacts": "[]string",
    },
    "Workflow": {
        "apiVersion": "string", "kind": "string", "metadata": "v1.ObjectMeta",
        "spec": "v1alpha1.WorkflowSpec", "status": "v1alpha1.WorkflowStatus",
    },
    "WorkflowTemplate": {
        "apiVersion": "string", "kind": "string", "metadata": "v1.ObjectMeta",
        "spec": "v1alpha1.WorkflowSpec",
    },
    "CronWorkflow": {
        "apiVersion": "string", "kind": "string", "metadata": "ObjectMeta", "spec": "CronWorkflowSpec",
        "status": "v1alpha1.CronWorkflowStatus",
    },
    "CronWorkflowSpec": {
        "schedule": "string", "schedules": "[]string", "timezone": "string", "suspend": "bool",
        "concurrencyPolicy": "string", "startingDeadlineSeconds": "int64",
        "successfulJobsHistoryLimit": "int32", "failedJobsHistoryLimit": "int32",
        "stopStrategy": "v1alpha1.StopStrategy", "when": "string", "workflowMetadata": "ObjectMeta",
        "workflowSpec": "v1alpha1.WorkflowSpec",
    },
    "Sensor": {
        "apiVersion": "string", "kind": "string", "metadata": "ObjectMeta", "spec": "v1alpha1.SensorSpec",
        "status": "v1alpha1.SensorStatus",
    },
}  # fmt: skip

_TEMPLATES, _CRONS, _SENSORS = (
    f"/api/v1/{kind}/{{namespace}}" for kind in ("workflow-templates", "cron-workflows", "sensors")
)
_WORKFLOWS = "/api/v1/workflows/{namespace}"

OF_PATH: dict[str, str] = {
    _WORKFLOWS: "WorkflowCreateRequest",
    f"{_WORKFLOWS}/lint": "WorkflowLintRequest",
    f"{_WORKFLOWS}/submit": "WorkflowSubmitRequest",
    **{
        f"{_WORKFLOWS}/{{name}}/{verb}": f"Workflow{verb.capitalize()}Request"
        for verb in ("retry", "resubmit", "suspend", "resume", "stop", "terminate")
    },
    **dict.fromkeys((_TEMPLATES, f"{_TEMPLATES}/lint", f"{_TEMPLATES}/{{name}}"), "WorkflowTemplateRequest"),
    **dict.fromkeys((_CRONS, f"{_CRONS}/lint", f"{_CRONS}/{{name}}"), "CronWorkflowRequest"),
    **{f"{_CRONS}/{{name}}/{verb}": "CronWorkflowSuspendRequest" for verb in ("suspend", "resume")},
    **dict.fromkeys((_SENSORS, f"{_SENSORS}/{{name}}"), "SensorRequest"),
}
"""The message that is the body of a call, by the call's path. An event has any JSON as its body."""
