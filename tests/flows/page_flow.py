import os

from metaflow import FlowSpec, Parameter, step


class PageFlow(FlowSpec):
    """Fails until a file is there."""

    alpha = Parameter("alpha", default=0.1, help="How much")
    gate = Parameter("gate", default="", help="The file that part 3 waits for")
    note = Parameter("note", default=None, help="Printed at the end")

    @step
    def start(self):
        self.parts = list(range(5))
        self.next(self.work, foreach="parts")

    @step
    def work(self):
        print(f"part {self.input} with alpha {self.alpha} <b>as it is</b>")
        if self.input == 3 and self.gate and not os.path.exists(self.gate):
            raise ValueError("the file is not there <img src=x>")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        print("all is well", repr(self.note))


if __name__ == "__main__":
    PageFlow()
