from metaflow import FlowSpec, retry, step


class StuckLoopFlow(FlowSpec):
    """A loop whose second iteration fails as often as it is tried."""

    @step
    def start(self):
        self.turns = 0
        self.next(self.turn)

    @retry(times=2, minutes_between_retries=0)
    @step
    def turn(self):
        self.turns += 1
        if self.turns == 2:
            raise ValueError("never")
        self.more = True
        self.next({True: self.turn, False: self.end}, condition="more")

    @step
    def end(self):
        pass


if __name__ == "__main__":
    StuckLoopFlow()
