import sys

from metaflow import FlowSpec, Parameter, card, catch, current, retry, step


class PythonFlow(FlowSpec):
    """What the runtime of a pod does: attempts, a foreach, a loop, a caught error, a card."""

    word = Parameter("word", default="début")

    @card
    @step
    def start(self):
        self.python = tuple(sys.version_info[:2])
        print(self.word)
        self.items = [1, 2, 3]
        self.next(self.work, foreach="items")

    @retry(times=1, minutes_between_retries=0)
    @step
    def work(self):
        if self.input == 2 and current.retry_count == 0:
            raise ValueError("not yet")
        self.square = self.input**2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.squares = [each.square for each in inputs]
        self.turns = 0
        self.next(self.turn)

    @step
    def turn(self):
        self.turns += 1
        self.more = self.turns < 3
        self.next({True: self.turn, False: self.end}, condition="more")

    @catch(var="problem", print_exception=False)
    @step
    def end(self):
        self.word_again = self.word
        raise ValueError("caught")


if __name__ == "__main__":
    PythonFlow()
