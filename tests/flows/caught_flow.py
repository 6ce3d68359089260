import os
import signal

from metaflow import FlowSpec, catch, current, retry, step


class CaughtFlow(FlowSpec):
    """@catch where the code raises, and where its process is killed: alone, and behind retries."""

    @step
    def start(self):
        self.next(self.raised, self.killed, self.killed_twice, self.well)

    @catch(var="problem")
    @retry(times=1, minutes_between_retries=0)
    @step
    def raised(self):
        raise KeyError(f"raised in attempt {current.retry_count}")
        self.next(self.join)

    @catch(var="problem", print_exception=False)
    @retry(times=0, minutes_between_retries=0)
    @step
    def killed(self):
        os.kill(os.getpid(), signal.SIGKILL)
        self.next(self.join)

    @catch(var="problem", print_exception=False)
    @retry(times=1, minutes_between_retries=0)
    @step
    def killed_twice(self):
        os.kill(os.getpid(), signal.SIGKILL)
        self.next(self.join)

    @catch(var="problem")
    @step
    def well(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        found = (inputs.raised, inputs.killed, inputs.killed_twice, inputs.well)
        self.problems = [each.problem and (each.problem.type, each.problem.exception) for each in found]
        self.next(self.nameless)

    @catch
    @step
    def nameless(self):
        raise ValueError("nobody asks for it")
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    CaughtFlow()
