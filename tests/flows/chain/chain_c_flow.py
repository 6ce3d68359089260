from metaflow import FlowSpec, current, step, trigger_on_finish


@trigger_on_finish(flow="ChainAFlow")
class ChainCFlow(FlowSpec):
    @step
    def start(self):
        trigger = current.get("trigger")
        self.started_by = [(event.name, event.type) for event in trigger.events] if trigger else None
        self.before = trigger.run.pathspec if trigger else None
        self.next(self.end)

    @step
    def end(self):
        self.letter = "C"


if __name__ == "__main__":
    ChainCFlow()
