import os
import signal
import time

from metaflow import FlowSpec, Parameter, current, retry, step


class LostSplitsFlow(FlowSpec):
    """Tasks that share a pod. Some take it with them, or fail, as Parameters say; each notes that it began."""

    notes = Parameter("notes")
    killers = Parameter("killers", default="")
    failing = Parameter("failing", default="")

    @step
    def start(self):
        self.items = list(range(8))
        self.next(self.work, foreach="items")

    @retry(times=1, minutes_between_retries=0)
    @step
    def work(self):
        with open(self.notes, "a") as file:
            file.write(f"{current.task_id} {current.retry_count}\n")
        print(f"work {self.index} attempt {current.retry_count}", flush=True)
        if str(self.index) in self.killers and current.retry_count == 0:
            time.sleep(0.3)
            os.killpg(os.getpgrp(), signal.SIGKILL)
        if str(self.index) in self.failing:
            raise ValueError(f"bad {self.index}")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.indices = [each.index for each in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    LostSplitsFlow()
