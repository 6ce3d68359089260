import time

from metaflow import FlowSpec, current, parallel, step


class BrokenParallelFlow(FlowSpec):
    """A @parallel step whose last node fails while the others wait for it."""

    @step
    def start(self):
        self.next(self.train, num_parallel=3)

    @parallel
    @step
    def train(self):
        print("node", current.parallel.node_index, flush=True)
        if current.parallel.node_index == 2:
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
