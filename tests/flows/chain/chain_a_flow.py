from metaflow import FlowSpec, current, step


class ChainAFlow(FlowSpec):
    @step
    def start(self):
        trigger = current.get("trigger")
        self.started_by = [(event.name, event.type) for event in trigger.events] if trigger else None
        self.before = trigger.run.pathspec if trigger else None
        self.next(self.end)

    @step
    def end(self):
        self.letter = "A"


if __name__ == "__main__":
    ChainAFlow()
