from metaflow import FlowSpec, Parameter, step, trigger


@trigger(event={"name": "shelf.empty", "parameters": {"shop": "shop", "pieces": "missing"}})
class RestockFlow(FlowSpec):
    """Orders what a shop lacks, when it says so."""

    shop = Parameter("shop", help="Which shop", default="shop 1")
    pieces = Parameter("pieces", help="How many pieces", type=int, default=10)

    @step
    def start(self):
        print("ordering %d pieces for %s" % (self.pieces, self.shop))
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    RestockFlow()
