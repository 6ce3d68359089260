from metaflow import FlowSpec, Parameter, card, current, exit_hook, retry, step, trigger


def mourn(status, failed_steps):
    print("mourn", status, failed_steps)


@trigger(event={"name": "remote.ready", "parameters": {"letters": "letters"}})
@exit_hook(on_error=[mourn])
class RemoteFlow(FlowSpec):
    """All that a pod reads in the datastore: artifacts, a foreach's items, earlier attempts, what failed."""

    letters = Parameter("letters", default="a")

    @retry(times=1, minutes_between_retries=0)
    @card(type="blank")
    @step
    def start(self):
        print("attempt", current.retry_count)
        if current.retry_count < 1:
            raise ValueError("not yet")
        self.items = list(self.letters)
        self.next(self.work, foreach="items")

    @step
    def work(self):
        if self.input == "b":
            raise ValueError("no b")
        self.upper = self.input.upper()
        self.next(self.collect)

    @step
    def collect(self, inputs):
        self.all = [one.upper for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    RemoteFlow()
