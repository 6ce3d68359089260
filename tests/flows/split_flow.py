from metaflow import FlowSpec, step


class SplitFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.left, self.right)

    @step
    def left(self):
        self.found = "left"
        self.next(self.both)

    @step
    def right(self):
        self.found = "right"
        self.next(self.both)

    @step
    def both(self, inputs):
        self.all = [inputs.left.found, inputs.right.found]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SplitFlow()
