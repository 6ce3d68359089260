import time

from metaflow import FlowSpec, Parameter, step


class WorkersFlow(FlowSpec):
    """Each task of the foreach notes when it ran."""

    width = Parameter("width", default=6)
    seconds = Parameter("seconds", default=0.4)

    @step
    def start(self):
        self.items = list(range(self.width))
        self.next(self.work, foreach="items")

    @step
    def work(self):
        begin = time.time()
        time.sleep(self.seconds)
        self.span = (begin, time.time())
        self.next(self.collect)

    @step
    def collect(self, inputs):
        self.spans = [one.span for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    WorkersFlow()
