import importlib
import os

from metaflow import FlowSpec, step

if os.environ.get("METAFLOW_STEP_NAME") == "end":
    importlib.import_module("a_module_that_was_not_packed")


class LateImportFlow(FlowSpec):
    """A flow whose script fails in the pod of its last step."""

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    LateImportFlow()
