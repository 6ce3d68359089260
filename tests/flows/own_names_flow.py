from metaflow import FlowSpec, step


class OwnNamesFlow(FlowSpec):
    """A first and a last step of other names; names that are long, or that differ in underscores only."""

    @step(start=True)
    def begin(self):
        self.next(self.x, self.x_, self.x_foreach)

    @step
    def x(self):
        self.items = [1, 2]
        self.next(
            self.a_very_long_name_of_a_step_of_a_step_of_a_step_of_a_step_of_a_step_of_a_step_1,
            foreach="items",
        )

    @step
    def a_very_long_name_of_a_step_of_a_step_of_a_step_of_a_step_of_a_step_of_a_step_1(self):
        self.square = self.input**2
        self.next(self.a_very_long_name_of_a_step_of_a_step_of_a_step_of_a_step_of_a_step_of_a_step_2)

    @step
    def a_very_long_name_of_a_step_of_a_step_of_a_step_of_a_step_of_a_step_of_a_step_2(self, inputs):
        self.squares = [each.square for each in inputs]
        self.next(self.ab_c)

    @step
    def x_(self):
        self.next(self.a_bc)

    @step
    def x_foreach(self):
        self.next(self.a__bc)

    @step
    def ab_c(self):
        self.next(self.abc)

    @step
    def a_bc(self):
        self.next(self.abc)

    @step
    def a__bc(self):
        self.next(self.abc)

    @step
    def abc(self, inputs):
        self.squares = inputs.ab_c.squares
        self.next(self.finish)

    @step(end=True)
    def finish(self):
        print(self.squares)


if __name__ == "__main__":
    OwnNamesFlow()
