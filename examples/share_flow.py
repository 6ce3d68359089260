import time

from metaflow import FlowSpec, Parameter, step


class ShareFlow(FlowSpec):
    """
    The share of its goods that each shop sold. One shop made nothing, which the flow does not expect:
    an example for `mfhera retry --with-new-code`.
    """

    pause = Parameter("pause", help="How many seconds to wait for the shops", default=0)

    @step
    def start(self):
        time.sleep(self.pause)
        self.shops = [("Berlin", 40, 50), ("Lyon", 0, 0), ("Porto", 9, 30)]
        self.next(self.share, foreach="shops")

    @step
    def share(self):
        self.shop, sold, made = self.input
        print(f"{self.shop}: {sold} of {made}")
        self.part = sold / made
        self.next(self.table)

    @step
    def table(self, inputs):
        self.shares = {each.shop: each.part for each in inputs}
        self.next(self.end)

    @step
    def end(self):
        print(self.shares)


if __name__ == "__main__":
    ShareFlow()
