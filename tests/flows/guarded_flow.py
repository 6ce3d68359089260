import time
from pathlib import Path

from metaflow import FlowSpec, Parameter, exit_hook, step


def tell(status):
    print("told of", status)


@exit_hook(on_error=[tell])
class GuardedFlow(FlowSpec):
    """Waits in its first step for a file to be there; somebody is told when that fails."""

    gate = Parameter("gate", required=True)

    @step
    def start(self):
        print("waits", flush=True)
        until = time.time() + 600
        while not Path(self.gate).exists() and time.time() < until:
            time.sleep(0.05)
        print("goes on", flush=True)
        self.next(self.end)

    @step
    def end(self):
        print("the end")


if __name__ == "__main__":
    GuardedFlow()
