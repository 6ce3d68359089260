from metaflow import FlowSpec, IncludeFile, JSONType, Parameter, step


class IncludeFlow(FlowSpec):
    """Files and values of every type, that a run is given."""

    data = IncludeFile("data", default="./include_flow.txt", help="It's a 'text' \\ file")
    raw = IncludeFile("raw", is_text=False, required=True)
    flag = Parameter("flag", type=bool, required=True)
    count = Parameter("count", type=int, default=1)
    table = Parameter("a-table", type=JSONType, default=None, help="Rows\nand columns")
    lines = Parameter("lines", default="one\ntwo")
    tags = Parameter("tag_list", default="")

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        self.seen = (self.data, self.raw, self.flag, self.count, self.table, self.lines, self.tags)


if __name__ == "__main__":
    IncludeFlow()
