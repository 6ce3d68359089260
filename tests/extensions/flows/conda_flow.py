from metaflow import FlowSpec, conda, step


class CondaFlow(FlowSpec):
    """A step with packages of conda's, in the words of metaflow-netflixext."""

    @conda(libraries={"regex": "2024.11.6"})
    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    CondaFlow()
