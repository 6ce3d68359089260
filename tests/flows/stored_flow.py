from metaflow import FlowSpec, current, step


class StoredFlow(FlowSpec):
    """All that a pod reads in the datastore: artifacts, a foreach's items, earlier attempts."""

    @step
    def start(self):
        print("attempt", current.retry_count)
        if current.retry_count < 1:
            raise ValueError("not yet")
        self.letters = ["a", "b"]
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
    StoredFlow()
