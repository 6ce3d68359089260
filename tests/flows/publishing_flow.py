from metaflow import FlowSpec, step
from metaflow.integrations import ArgoEvent


class PublishingFlow(FlowSpec):
    @step
    def start(self):
        ArgoEvent("data.EventFlow").add_to_payload("alpha", 4).safe_publish(ignore_errors=False)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    PublishingFlow()
