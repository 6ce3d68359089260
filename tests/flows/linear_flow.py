from metaflow import FlowSpec, step


class LinearFlow(FlowSpec):
    """One step after the other."""

    @step
    def start(self):
        self.total = 1
        self.next(self.middle)

    @step
    def middle(self):
        self.total += 1
        self.next(self.end)

    @step
    def end(self):
        print("total is", self.total)


if __name__ == "__main__":
    LinearFlow()
