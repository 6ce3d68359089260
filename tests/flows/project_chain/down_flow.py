from metaflow import FlowSpec, current, project, step, trigger_on_finish


@trigger_on_finish(flow="UpFlow")
@project(name="chained")
class DownFlow(FlowSpec):
    @step
    def start(self):
        self.event = current.trigger.event.name
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    DownFlow()
