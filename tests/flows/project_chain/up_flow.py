from metaflow import FlowSpec, project, step


@project(name="chained")
class UpFlow(FlowSpec):
    @step
    def start(self):
        self.next(self.last)

    @step(end=True)
    def last(self):
        pass


if __name__ == "__main__":
    UpFlow()
