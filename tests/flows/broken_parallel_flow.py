import time
from pathlib import Path

from metaflow import FlowSpec, Parameter, current, parallel, step


class BrokenParallelFlow(FlowSpec):
    """A @parallel step whose last node fails while the others wait for it, once they have begun."""

    place = Parameter("place", required=True, help="A folder that all nodes share.")

    @step
    def start(self):
        self.next(self.train, num_parallel=3)

    @parallel
    @step
    def train(self):
        print("node", current.parallel.node_index, flush=True)
        Path(self.place, f"node-{current.parallel.node_index}").touch()
        if current.parallel.node_index == 2:
            while len(list(Path(self.place).glob("node-*"))) < 3:
                time.sleep(0.05)
            raise ValueError("no more of this")
        time.sleep(600)
        self.next(self.collect)

    @step
    def collect(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    BrokenParallelFlow()
