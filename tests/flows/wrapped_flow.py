import os

from metaflow import USER_SKIP_STEP, FlowSpec, current, retry, step, user_step_decorator
from mutators import Counted, Everywhere, Patient


@user_step_decorator
def noted(step_name, flow, inputs=None, attributes=None):
    """Runs around the step's own code, and changes artifacts."""
    word = attributes.get("word", "noted")
    flow.before = f"{word} before {step_name}"
    yield
    flow.after = f"{word} after {step_name}"


@user_step_decorator
def forgiving(step_name, flow, inputs=None, attributes=None):
    """Takes an exception for no failure."""
    try:
        yield
    except ValueError as error:
        flow.forgiven = str(error)
        return None, {}


@user_step_decorator
def skipped(step_name, flow, inputs=None):
    """Runs in place of the step."""
    flow.instead = True
    yield USER_SKIP_STEP


@Everywhere
class WrappedFlow(FlowSpec):
    """Decorators and mutators of the user's own."""

    @noted(word="well")
    @step
    def start(self):
        self.seen = self.before
        self.next(self.flaky)

    @Patient
    @step
    def flaky(self):
        self.given = os.environ.get("GIVEN")
        if current.retry_count == 0:
            raise KeyError("the first attempt")
        self.next(self.bad)

    @forgiving
    @retry(times=0)
    @step
    def bad(self):
        raise ValueError("nothing to worry about")
        self.next(self.other)

    @skipped
    @step
    def other(self):
        self.next(self.fan)

    @step
    def fan(self):
        self.items = [1, 2]
        self.next(self.work, foreach="items")

    @noted
    @Counted(by=3)
    @step
    def work(self):
        self.next(self.collect)

    @noted
    @step
    def collect(self, inputs):
        self.all = [each.after for each in inputs]
        self.merge_artifacts(inputs, exclude=["before", "after"])
        self.next(self.end)

    @step
    def end(self):
        self.said = self.extra


if __name__ == "__main__":
    WrappedFlow()
