import sys

from metaflow import FlowSpec, Parameter, retry, step


class UvFlow(FlowSpec):
    """Runs in an environment of its own, which has what the machine's Python has not."""

    number = Parameter("number", default=14)

    @retry(times=1, minutes_between_retries=0)
    @step
    def start(self):
        import roman

        self.numeral = roman.toRoman(self.number)
        self.prefix = sys.prefix
        print("it is", self.numeral)
        self.turns = 0
        self.next(self.turn)

    @step
    def turn(self):
        self.turns += 1
        self.more = self.turns < 3
        self.next({True: self.turn, False: self.end}, condition="more")

    @step
    def end(self):
        import roman

        assert roman.fromRoman(self.numeral) == self.number


if __name__ == "__main__":
    UvFlow()
