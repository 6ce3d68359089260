from metaflow import FlowSpec, Parameter, step


class DeepFlow(FlowSpec):
    """Three foreachs, one inside the other."""

    one = Parameter("one", default=2)
    two = Parameter("two", default=3)
    three = Parameter("three", default=2)

    @step
    def start(self):
        self.ones = list(range(self.one))
        self.next(self.outer, foreach="ones")

    @step
    def outer(self):
        self.x = self.input
        self.twos = [f"{self.x}-{i}" for i in range(self.two)]
        self.next(self.middle, foreach="twos")

    @step
    def middle(self):
        self.y = self.input
        self.threes = [(self.y, i) for i in range(self.three)]
        self.next(self.inner, foreach="threes")

    @step
    def inner(self):
        self.z = (self.x, self.y, self.input, self.index)
        self.next(self.inner_join)

    @step
    def inner_join(self, inputs):
        self.found = [inner.z for inner in inputs]
        self.next(self.middle_join)

    @step
    def middle_join(self, inputs):
        self.found = [middle.found for middle in inputs]
        self.next(self.outer_join)

    @step
    def outer_join(self, inputs):
        self.found = [outer.found for outer in inputs]
        self.next(self.end)

    @step
    def end(self):
        print("found", self.found)


if __name__ == "__main__":
    DeepFlow()
