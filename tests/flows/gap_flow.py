import os

from metaflow import FlowSpec, current, retry, step

if os.environ.get("METAFLOW_RETRY_COUNT") == "1":
    os._exit(1)  # as an import that fails once


class GapFlow(FlowSpec):
    """The second attempt of each task ends before its step begins, between a failed one and a good one."""

    @step
    def start(self):
        self.turns = 0
        self.next(self.work)

    @retry(times=3, minutes_between_retries=0)
    @step
    def work(self):
        self.x = "of the failed attempt"
        if current.retry_count == 0:
            raise ValueError("the first attempt fails")
        self.x = "of the attempt that succeeded"
        self.next(self.turn)

    @retry(times=3, minutes_between_retries=0)
    @step
    def turn(self):
        self.seen = self.x
        self.turns += 1
        self.state = "off"
        if current.retry_count == 0:
            raise ValueError("the first attempt fails")
        self.state = "on" if self.turns < 2 else "off"
        self.next({"on": self.turn, "off": self.end}, condition="state")

    @step
    def end(self):
        pass


if __name__ == "__main__":
    GapFlow()
