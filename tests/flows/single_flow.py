from metaflow import FlowSpec, Parameter, step


class SingleFlow(FlowSpec):
    """One step, which is the first and the last."""

    alpha = Parameter("alpha", default=0.5)

    @step
    def only(self):
        self.twice = self.alpha * 2


if __name__ == "__main__":
    SingleFlow()
