from metaflow import FlowSpec, card, step


class HtmlFlow(FlowSpec):
    """Cards whose HTML is an artifact."""

    @card(type="html")
    @step
    def start(self):
        self.html = "<html><body>from the artifact</body></html>"
        self.next(self.end)

    @card(type="html", options={"attribute": "page"})
    @step
    def end(self):
        self.page = "<p>another</p>"


if __name__ == "__main__":
    HtmlFlow()
