import sys
from pathlib import Path

from metaflow import FlowSpec, Parameter, current, step


class MendedFlow(FlowSpec):
    """The middle one of three items fails until the file `mended` is in the folder `place`."""

    place = Parameter("place", required=True)

    @step
    def start(self):
        print("start on stdout")
        self.items = ["a", "b", "c"]
        self.next(self.work, foreach="items")

    @step
    def work(self):
        print(f"{self.input} on stdout")
        print(f"{self.input} on stderr", file=sys.stderr)
        self.attempt = current.retry_count
        if self.input == "b" and not Path(self.place, "mended").exists():
            raise RuntimeError("not mended yet")
        self.next(self.collect)

    @step
    def collect(self, inputs):
        self.attempts = [task.attempt for task in inputs]
        self.next(self.end)

    @step
    def end(self):
        print("all", self.attempts)


if __name__ == "__main__":
    MendedFlow()
