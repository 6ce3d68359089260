import time

from metaflow import FlowSpec, card, catch, current, retry, splits_per_pod, step, timeout


class SplitsFlow(FlowSpec):
    """Foreachs inside each other; tasks that fail once, that fail for ever, that hang, and that do well."""

    @step
    def start(self):
        self.rows = [7, 0, 2]
        self.next(self.row, foreach="rows")

    @step
    def row(self):
        self.empty = self.input == 0
        self.cells = list(range(self.input or 1))
        self.next(self.cell, foreach="cells")

    @catch
    @timeout(seconds=20)
    @retry(times=1, minutes_between_retries=0)
    @step
    def cell(self):
        print(f"cell {self.input} attempt {current.retry_count}", flush=True)
        self.tried = current.retry_count
        if self.input in (2, 3) and current.retry_count == 0:
            raise ValueError(f"not yet {self.input}")
        if self.input == 4:
            raise KeyError("never")
        if self.input == 5 and current.retry_count == 0:
            time.sleep(60)
        self.doubled = 2 * self.input
        self.next(self.cells_done)

    @step
    def cells_done(self, inputs):
        self.found = [getattr(each, "doubled", None) for each in inputs]
        self.tried = [getattr(each, "tried", None) for each in inputs]
        self.next(self.rows_done)

    @step
    def rows_done(self, inputs):
        self.found = [each.found for each in inputs]
        self.next(self.letters)

    @splits_per_pod(number=2)
    @step
    def letters(self):
        self.last = ["x", "y", "z"]
        self.next(self.letter, foreach="last")

    @card
    @step
    def letter(self):
        self.upper = self.input.upper()
        self.next(self.letters_done)

    @step
    def letters_done(self, inputs):
        self.all = [each.upper for each in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SplitsFlow()
