from metaflow import FlowSpec, step


class NamesFlow(FlowSpec):
    """Step names that mean something to Argo."""

    @step
    def start(self):
        self.next(self.matches)

    @step
    def matches(self):
        self.next(self.in_)

    @step
    def in_(self):
        self.next(self.hidden_)

    @step
    def hidden_(self):
        self.next(self.hidden)

    @step
    def hidden(self):
        self.next(self.task, self.flow)

    @step
    def task(self):
        self.next(self.contains)

    @step
    def flow(self):
        self.next(self.contains)

    @step
    def contains(self, inputs):
        self.next(self.nil)

    @step
    def nil(self):
        self.items = [1, 2]
        self.next(self.let, foreach="items")

    @step
    def let(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    NamesFlow()
