import os
import signal

from metaflow import FlowSpec, current, retry, step


class LostLoopFlow(FlowSpec):
    """The pod of a loop is lost in its third iteration, twice."""

    @step
    def start(self):
        self.trail = []
        self.next(self.turn)

    @retry(times=2, minutes_between_retries=0)
    @step
    def turn(self):
        self.trail.append((len(self.trail), current.retry_count))
        if len(self.trail) == 3 and current.retry_count < 2:
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        self.state = "on" if len(self.trail) < 5 else "off"
        self.next({"on": self.turn, "off": self.end}, condition="state")

    @step
    def end(self):
        pass


if __name__ == "__main__":
    LostLoopFlow()
