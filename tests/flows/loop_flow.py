from metaflow import FlowSpec, current, retry, step


class LoopFlow(FlowSpec):
    """A loop in a foreach that is left by one of two choices; each of its turns fails once."""

    @step
    def start(self):
        self.goals = [1, 2, 3]
        self.next(self.refine, foreach="goals")

    @retry(times=1, minutes_between_retries=0)
    @step
    def refine(self):
        self.turns = getattr(self, "turns", 0) + 1
        if current.retry_count == 0:
            raise ValueError("not at once")
        self.state = "again" if self.turns < self.input else ("odd" if self.turns % 2 else "even")
        self.next({"again": self.refine, "odd": self.odd, "even": self.even}, condition="state")

    @step
    def odd(self):
        self.next(self.collect)

    @step
    def even(self):
        self.next(self.collect)

    @step
    def collect(self, inputs):
        # Where a foreach has several last steps Metaflow gives their tasks in no order.
        self.turns = sorted(each.turns for each in inputs)
        self.next(self.end)

    @step
    def end(self):
        print(self.turns)


if __name__ == "__main__":
    LoopFlow()
