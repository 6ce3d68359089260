from metaflow import FlowSpec, metaflow_ray, step


class RayFlow(FlowSpec):
    """A cluster of Ray of two nodes: Ray runs the step on the first."""

    @step
    def start(self):
        self.next(self.compute, num_parallel=2)

    @metaflow_ray(all_nodes_started_timeout=300)
    @step
    def compute(self):
        import ray

        ray.init()

        @ray.remote
        def square(number):
            return number * number

        self.squares = ray.get([square.remote(number) for number in range(5)])
        self.ray_nodes = len(ray.nodes())
        ray.shutdown()
        self.next(self.join)

    @step
    def join(self, inputs):
        self.squares = [getattr(each, "squares", None) for each in inputs]
        self.ray_nodes = inputs[0].ray_nodes
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    RayFlow()
