import os
import signal
import time

from metaflow import FlowSpec, Parameter, step, timeout


class EndsFlow(FlowSpec):
    """A step that ends in one of several bad ways, after it has printed something."""

    way = Parameter("way", default="none")

    @timeout(seconds=2)
    @step
    def start(self):
        print("the last words", flush=True)
        if self.way == "error":
            raise ValueError("no such thing\nand more")
        if self.way == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.way == "timeout":
            time.sleep(600)
        if self.way == "exit":
            os._exit(7)
        if self.way == "forgets":
            return
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    EndsFlow()
