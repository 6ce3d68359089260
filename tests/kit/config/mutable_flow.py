from metaflow import Config, FlowMutator, FlowSpec, Parameter, step


class AddsParameters(FlowMutator):
    """Adds the Parameters that the Config names."""

    def pre_mutate(self, mutable_flow):
        for name, default in mutable_flow.config.parameters.items():
            mutable_flow.add_parameter(name, Parameter(name, type=str, default=default))


@AddsParameters
class MutableFlow(FlowSpec):
    config = Config("config", default_value={"parameters": {"param1": "41", "param2": "42"}})
    trigger_param = Parameter("trigger_param", default="")

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    MutableFlow()
