import os

from metaflow import FlowSpec, environment, retry, secrets, step


class SecretFlow(FlowSpec):
    """Variables of @environment and of @secrets, in steps of their own and in those of a foreach."""

    @environment(vars={"PLAIN": "a b", "ODD": "$(HOME) {{workflow.name}} $$ ü\n'\"", "NUMBER": 5})
    @step
    def start(self):
        self.found = {name: os.environ[name] for name in ("PLAIN", "ODD", "NUMBER")}
        self.items = [1, 2]
        self.next(self.work, foreach="items")

    @retry(times=1, minutes_between_retries=0)
    @secrets(
        sources=[
            {"type": "inline", "id": "one", "options": {"env_vars": {"TOKEN": "t {{x}} $(y)"}}},
            {"id": "two", "options": {"env_vars": {"OTHER": "o"}}},
        ]
    )
    @environment(vars={"PLAIN": "of work"})
    @step
    def work(self):
        self.found = {name: os.environ[name] for name in ("PLAIN", "TOKEN", "OTHER")}
        self.next(self.join)

    @step
    def join(self, inputs):
        self.all = [each.found for each in inputs]
        self.rest = sorted({"PLAIN", "TOKEN", "OTHER"} & set(os.environ))
        self.next(self.replaced)

    @secrets(
        sources=[{"type": "inline", "id": "three", "options": {"env_vars": {"LANG": "sv"}}}],
        allow_override=True,
    )
    @step
    def replaced(self):
        self.lang = os.environ["LANG"]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SecretFlow()
