"""A step that needs a GPU and a secret. On a cluster it gets both; in a plain `run` it does without."""

import os
import shutil
import subprocess

from metaflow import FlowSpec, Parameter, resources, retry, step, timeout


class TuneFlow(FlowSpec):
    """
    The flow says how much a step needs. Image and secrets are named when it is deployed, since each
    cluster has its own: `--with kubernetes:image=...,secrets=...`.
    """

    rate = Parameter("rate", help="Learning rate", default=0.1)

    @step
    def start(self):
        self.points = [(x, 3 * x + 1) for x in range(10)]
        self.next(self.tune)

    @retry(times=2)
    @timeout(hours=4)
    @resources(gpu=1, cpu=4, memory=16000)
    @step
    def tune(self):
        self.device = gpu() or "no GPU"
        self.has_token = "HUB_TOKEN" in os.environ  # a key of the secret: print no value of it
        self.slope, self.shift = 0.0, 0.0
        for _ in range(1000):
            for x, y in self.points:
                wrong = self.slope * x + self.shift - y
                self.slope -= self.rate * wrong * x / 100
                self.shift -= self.rate * wrong / 100
        self.next(self.end)

    @step
    def end(self):
        print(f"y = {self.slope:.1f} x + {self.shift:.1f}, on {self.device}, token: {self.has_token}")


def gpu():
    """The name of the GPU, if the pod has one."""
    if not shutil.which("nvidia-smi"):
        return None
    asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    TuneFlow()
