"""Steps with packages of their own: each has an environment that Metaflow makes of what @pypi lists."""

from importlib.metadata import version

from metaflow import FlowSpec, pypi, step


class PackagesFlow(FlowSpec):
    """
    Two versions of a package in one flow. The versions are pinned: a run in a year imports what this one
    imports. What a step does not list it cannot import.
    """

    @pypi(packages={"roman": "4.2"})
    @step
    def start(self):
        import roman

        self.old = f"{roman.toRoman(2026)} by {version('roman')}"
        self.next(self.newer)

    @pypi(packages={"roman": "5.1"})
    @step
    def newer(self):
        import roman

        self.new = f"{roman.toRoman(2026)} by {version('roman')}"
        self.next(self.end)

    @step
    def end(self):
        print(self.old, self.new, sep=", ")


if __name__ == "__main__":
    PackagesFlow()
