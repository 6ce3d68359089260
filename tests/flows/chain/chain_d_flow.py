from metaflow import FlowSpec, Parameter, current, step, trigger, trigger_on_finish


@trigger(event={"name": "chain.ready", "parameters": {"size": "how_big"}})
@trigger_on_finish(flows=["ChainBFlow", "ChainCFlow"])
class ChainDFlow(FlowSpec):
    size = Parameter("size", type=int, default=0)

    @step
    def start(self):
        self.started_by = sorted((event.name, event.type) for event in current.trigger.events)
        self.letters = sorted(run.data.letter for run in current.trigger.runs)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ChainDFlow()
