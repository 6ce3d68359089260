from metaflow import FlowSpec, current, step, torchrun


class TorchFlow(FlowSpec):
    """Two nodes on which torchrun starts a script."""

    @step
    def start(self):
        self.next(self.train, num_parallel=2)

    @torchrun(all_nodes_started_timeout=300)
    @step
    def train(self):
        current.torch.run(entrypoint="torch_script.py", entrypoint_args={"out": f"sum-{self.index}"})
        with open(f"sum-{self.index}") as file:
            self.sum = file.read()
        self.nodes = current.parallel.num_nodes
        self.next(self.join)

    @step
    def join(self, inputs):
        self.sums = [each.sum for each in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    TorchFlow()
