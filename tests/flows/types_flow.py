from metaflow import FlowSpec, JSONType, Parameter, step


class TypesFlow(FlowSpec):
    """A Parameter of each type."""

    text = Parameter("text", default="hello", help="Any text, even {{workflow.name}}")
    number = Parameter("number", default=3)
    ratio = Parameter("ratio", default=0.1)
    small = Parameter("small", type=float, default=1e-05)
    flag = Parameter("flag", type=bool, default=False)
    table = Parameter("table", type=JSONType, default='{"a": [1, null]}')
    nothing = Parameter("nothing", type=str, default=None)
    with_hyphen = Parameter("with-hyphen", default="$HOME {{x}}")

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    TypesFlow()
