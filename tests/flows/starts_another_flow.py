"""A task that starts a run of a deployed flow, of its own too, in each of the ways that there are."""

import json
import subprocess

from metaflow import FlowSpec, Parameter, step


class StartsAnotherFlow(FlowSpec):
    way = Parameter("way", default="none")
    deployment = Parameter("deployment", default="startsanotherflow")

    @step
    def start(self):
        self.child = None
        if self.way == "deployer":
            from metaflow import DeployedFlow

            self.child = DeployedFlow.from_deployment(self.deployment, impl="hera").trigger(way="none").id
        elif self.way == "package":
            from metaflow_hera import deploy

            self.child = deploy(__file__).trigger(way="none").id
        elif self.way == "command":
            command = ["mfhera", "trigger", __file__, "--param", "way=none", "--json"]
            done = subprocess.run(command, text=True, stdout=subprocess.PIPE)
            done.check_returncode()
            self.child = json.loads(done.stdout)["run_id"]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    StartsAnotherFlow()
