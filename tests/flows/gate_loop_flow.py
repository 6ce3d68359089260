import os
import time

from metaflow import FlowSpec, Parameter, step


class GateLoopFlow(FlowSpec):
    """A loop whose third iteration waits for a file to be there."""

    gate = Parameter("gate", default="none")

    @step
    def start(self):
        self.n = 0
        self.next(self.turn)

    @step
    def turn(self):
        self.n += 1
        print("iteration says", self.n)
        while self.n == 3 and not os.path.exists(self.gate):
            time.sleep(0.1)
        self.more = self.n < 4
        self.next({True: self.turn, False: self.end}, condition="more")

    @step
    def end(self):
        pass


if __name__ == "__main__":
    GateLoopFlow()
