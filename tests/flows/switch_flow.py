from metaflow import FlowSpec, step


class SwitchFlow(FlowSpec):
    """Switches in a static branch and in a foreach, one straight to the merge; a foreach in a choice."""

    @step
    def start(self):
        self.kinds = ["short", "long", "wide"]
        self.next(self.quick, self.each)

    @step
    def quick(self):
        self.mode = "skip"
        self.next({"work": self.work, "skip": self.done}, condition="mode")

    @step
    def work(self):
        self.next(self.done)

    @step
    def done(self):
        self.next(self.both)

    @step
    def each(self):
        self.next(self.choose, foreach="kinds")

    @step
    def choose(self):
        self.kind = self.input
        self.next({"short": self.one, "long": self.two, "wide": self.many}, condition="kind")

    @step
    def one(self):
        self.sizes = [1]
        self.next(self.collect)

    @step
    def two(self):
        self.sizes = [1, 2]
        self.next(self.collect)

    @step
    def many(self):
        self.numbers = [1, 2, 3]
        self.next(self.square, foreach="numbers")

    @step
    def square(self):
        self.size = self.input**2
        self.next(self.squares)

    @step
    def squares(self, inputs):
        self.sizes = [each.size for each in inputs]
        self.next(self.collect)

    @step
    def collect(self, inputs):
        # Where a foreach has several last steps Metaflow gives their tasks in no order.
        self.sizes = sorted(each.sizes for each in inputs)
        self.next(self.both)

    @step
    def both(self, inputs):
        self.sizes = inputs.collect.sizes
        self.mode = inputs.done.mode
        self.next(self.end)

    @step
    def end(self):
        print(self.mode, self.sizes)


if __name__ == "__main__":
    SwitchFlow()
