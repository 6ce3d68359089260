import time

from metaflow import FlowSpec, Parameter, step


class TrainFlow(FlowSpec):
    """Trains a model for each part of the data."""

    rate = Parameter("rate", default=0.1, help="How fast it learns")

    @step
    def start(self):
        time.sleep(1)
        self.parts = list(range(24))
        self.next(self.fit, foreach="parts")

    @step
    def fit(self):
        for epoch in range(4 + self.input % 3):
            time.sleep(0.5)
            print(f"epoch {epoch}: loss {1 / (1 + self.rate * (epoch + self.input)):.4f}", flush=True)
        if self.input == 5:
            raise ValueError("part 5 has no rows")
        self.next(self.choose)

    @step
    def choose(self, inputs):
        self.next(self.publish)

    @step
    def publish(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    TrainFlow()
