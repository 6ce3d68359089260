from metaflow import FlowSpec, step


class LongLoopFlow(FlowSpec):
    """A loop of more iterations than Argo's controller allows calls within calls."""

    @step
    def start(self):
        self.turns = 0
        self.next(self.turn)

    @step
    def turn(self):
        self.turns += 1
        self.more = self.turns < 250
        self.next({True: self.turn, False: self.end}, condition="more")

    @step
    def end(self):
        print(self.turns)


if __name__ == "__main__":
    LongLoopFlow()
