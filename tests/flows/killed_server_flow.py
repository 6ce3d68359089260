from metaflow import FlowSpec, Parameter, current, retry, step

LINES = 20


class KilledServerFlow(FlowSpec):
    """Foreachs, retries and a loop; each task tells in a file of each time that its body ran."""

    notes = Parameter("notes")

    def tell(self):
        with open(self.notes, "a") as file:
            file.write(f"{current.step_name}/{current.task_id} {current.retry_count}\n")
        for line in range(LINES):
            print("line", current.step_name, current.task_id, current.retry_count, line, flush=True)

    @step
    def start(self):
        self.tell()
        self.rows = [0, 1, 2]
        self.next(self.row, foreach="rows")

    @step
    def row(self):
        self.tell()
        self.cells = [0, 1, 2]
        self.next(self.cell, foreach="cells")

    @retry(times=2, minutes_between_retries=0)
    @step
    def cell(self):
        self.tell()
        if current.retry_count < self.input:
            raise ValueError("not yet")
        self.next(self.cells_done)

    @step
    def cells_done(self, inputs):
        self.tell()
        self.next(self.rows_done)

    @step
    def rows_done(self, inputs):
        self.tell()
        self.turns = 0
        self.next(self.turn)

    @step
    def turn(self):
        self.tell()
        self.turns += 1
        self.more = "again" if self.turns < 5 else "done"
        self.next({"again": self.turn, "done": self.end}, condition="more")

    @step
    def end(self):
        self.tell()


if __name__ == "__main__":
    KilledServerFlow()
