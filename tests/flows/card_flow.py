from metaflow import FlowSpec, card, current, retry, step
from metaflow.cards import Markdown, Table


class CardFlow(FlowSpec):
    """Cards: several, one that cannot be made, one that takes too long, in a foreach and behind a retry."""

    @card(type="blank", id="first")
    @card(type="blank", id="second")
    @card
    @step
    def start(self):
        current.card["first"].append(Markdown("# the first"))
        current.card["second"].append(Table([["a", 1]]))
        self.items = ["x", "y"]
        self.next(self.work, foreach="items")

    @retry(times=1, minutes_between_retries=0)
    @card(type="blank")
    @step
    def work(self):
        if current.retry_count == 0:
            raise KeyError("the first attempt")
        current.card.append(Markdown(f"item {self.input} of attempt {current.retry_count}"))
        current.card.refresh()
        self.next(self.join)

    @card(type="no_such_type", id="unknown")
    @card(type="test_timeout_card", timeout=1, options={"timeout": 20}, id="slow")
    @card(type="test_error_card", id="broken")
    @card(type="test_error_card", save_errors=False, id="silent")
    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    CardFlow()
