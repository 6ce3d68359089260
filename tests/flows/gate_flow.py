import time
from pathlib import Path

from metaflow import FlowSpec, Parameter, step

VERSION = "one"


class GateFlow(FlowSpec):
    """Waits in its first step for a file to be there."""

    gate = Parameter("gate", required=True)

    @step
    def start(self):
        Path(self.gate + ".waiting").touch()
        until = time.time() + 600
        while not Path(self.gate).exists() and time.time() < until:
            time.sleep(0.05)
        self.begun_as = VERSION
        self.next(self.end)

    @step
    def end(self):
        self.ended_as = VERSION


if __name__ == "__main__":
    GateFlow()
