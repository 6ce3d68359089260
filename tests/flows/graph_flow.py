import os
import time

from metaflow import FlowSpec, Parameter, parallel, step


class GraphFlow(FlowSpec):
    """All that a graph can have: a switch, a foreach in a foreach, a loop, @parallel; it may fail."""

    way = Parameter("way", default="work")
    until = Parameter("until", default="")

    @step
    def start(self):
        self.next({"work": self.outer, "fail": self.nothing}, condition="way")

    @step
    def nothing(self):
        raise ValueError("there is nothing to do")
        self.next(self.end)

    @step
    def outer(self):
        self.rows = [0, 1]
        self.next(self.middle, foreach="rows")

    @step
    def middle(self):
        self.columns = [0, 1, 2]
        self.next(self.inner, foreach="columns")

    @step
    def inner(self):
        self.next(self.columns_joined)

    @step
    def columns_joined(self, inputs):
        self.next(self.rows_joined)

    @step
    def rows_joined(self, inputs):
        self.rounds = 0
        self.next(self.refine)

    @step
    def refine(self):
        while self.until and not os.path.exists(self.until):
            time.sleep(0.1)
        self.rounds += 1
        self.decision = "stop" if self.rounds == 3 else "again"
        self.next({"again": self.refine, "stop": self.spread}, condition="decision")

    @step
    def spread(self):
        self.next(self.train, num_parallel=2)

    @parallel
    @step
    def train(self):
        self.next(self.gathered)

    @step
    def gathered(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    GraphFlow()
