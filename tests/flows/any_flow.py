from metaflow import FlowSpec, Parameter, current, step, trigger


@trigger(
    events=[
        {"name": "any.one", "parameters": {"must": "x"}},
        {"name": "any.two", "parameters": {"must": "y"}},
    ],
    options={"when": "any"},
)
class AnyFlow(FlowSpec):
    must = Parameter("must", required=True)

    @step
    def start(self):
        self.event = current.trigger.event.name
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    AnyFlow()
