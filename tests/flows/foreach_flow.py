from metaflow import FlowSpec, step


class ForeachFlow(FlowSpec):
    @step
    def start(self):
        self.letters = ["a", "b", "c"]
        self.next(self.work, foreach="letters")

    @step
    def work(self):
        self.upper = self.input.upper()
        self.next(self.collect)

    @step
    def collect(self, inputs):
        self.all = [one.upper for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ForeachFlow()
