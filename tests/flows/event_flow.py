from metaflow import FlowSpec, JSONType, Parameter, current, step, trigger


def name_of_event(context):
    return {
        "name": f"data.{context.flow_name}",
        "parameters": {"alpha": "alpha", "words": "the_words", "odd": "odd"},
    }


@trigger(event=name_of_event)
class EventFlow(FlowSpec):
    alpha = Parameter("alpha", type=float, default=0.5)
    words = Parameter("words", default="none")
    odd = Parameter("odd", type=JSONType, default='{"a": 1}')
    other = Parameter("other", default="as deployed")

    @step
    def start(self):
        self.event = current.trigger.event.name if current.get("trigger") else None
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    EventFlow()
