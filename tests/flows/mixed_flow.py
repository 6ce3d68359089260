from metaflow import FlowSpec, step


class MixedFlow(FlowSpec):
    """A foreach in a branch of a split, a split in that foreach, a foreach behind that split."""

    @step
    def start(self):
        self.base = 10
        self.next(self.plain, self.fan)

    @step
    def plain(self):
        self.result = [self.base]
        self.next(self.merge)

    @step
    def fan(self):
        self.numbers = [1, 2]
        self.next(self.item, foreach="numbers")

    @step
    def item(self):
        self.number = self.input
        self.next(self.square, self.double)

    @step
    def square(self):
        self.value = self.number**2
        self.next(self.pair)

    @step
    def double(self):
        self.value = self.number * 2
        self.next(self.pair)

    @step
    def pair(self, inputs):
        self.merge_artifacts(inputs, exclude=["value"])
        self.values = [inputs.square.value, inputs.double.value]
        self.next(self.again)

    @step
    def again(self):
        self.next(self.leaf, foreach="values")

    @step
    def leaf(self):
        self.found = (self.number, self.index, self.input)
        self.next(self.leaves)

    @step
    def leaves(self, inputs):
        self.found = [leaf.found for leaf in inputs]
        self.next(self.items)

    @step
    def items(self, inputs):
        self.result = [item.found for item in inputs]
        self.next(self.merge)

    @step
    def merge(self, inputs):
        self.result = [inputs.plain.result, inputs.items.result]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    MixedFlow()
