"""The template of doctor's own run: the first pod of a small flow, as `create` would deploy it.

All that a pod gets by the configuration it gets too: image, service account, secrets, datastore, variables.
Before it goes on as the pod of any flow, it writes into its log which Python it has, and which libraries are
missing.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from metaflow_hera.argo.objects import arguments_of
from metaflow_hera.argo.target import Target
from metaflow_hera.choices.deployment import CreateOptions
from metaflow_hera.contract.manifest import STEP, WARM
from metaflow_hera.contract.objects import JSON
from metaflow_hera.metaflow_api.load.flows import load_flow
from metaflow_hera.operations.deployment import export, prepare
from metaflow_hera.operations.health import pod_report
from metaflow_hera.translation.writing import as_json

FLOW = '''
from metaflow import FlowSpec, step


class MfheraDoctorFlow(FlowSpec):
    """Stores one artifact."""

    @step
    def start(self):
        self.text = "written by mfhera doctor"
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    MfheraDoctorFlow()
'''
FIRST = "start"
KEPT_SECONDS = 3600
"""How long Argo keeps a run that could not be deleted."""


def template(name: str, datastore: str, target: Target, seconds: float) -> JSON:
    """The template, under a name, for a target; the code package of its flow is then in the datastore.

    Argo ends a run of it after `seconds`. Raises UsageError or one of its kinds, or ConfigurationError.
    """
    with tempfile.TemporaryDirectory(prefix="mfhera-doctor-") as folder:
        script = Path(folder, "mfhera_doctor_flow.py")
        script.write_text(FLOW, encoding="utf-8")
        flow = load_flow(str(script), ["--datastore", datastore])
        made = export(prepare(flow, CreateOptions(name=name)), target)
        found = as_json(made.objects.template)
    spec = found["spec"]
    for each in spec["templates"]:
        if "dag" in each:
            tasks = each["dag"]["tasks"]
            each["dag"]["tasks"] = [task for task in tasks if arguments_of(task).get(STEP) == FIRST]
        else:
            option, bootstrap = each["container"]["args"]
            each["container"]["args"] = [option, pod_report.script(datastore), bootstrap]
            each["metadata"]["annotations"].pop(WARM, None)
    spec["activeDeadlineSeconds"] = int(seconds)
    spec["ttlStrategy"] = {"secondsAfterCompletion": KEPT_SECONDS}
    spec.pop("podGC", None)  # its log is read after its end
    return found
