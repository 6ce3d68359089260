import socket
import time

from metaflow import FlowSpec, current, parallel, step


class ParallelFlow(FlowSpec):
    """Two @parallel steps in a foreach: each node meets the first one at its address before any goes on."""

    @step
    def start(self):
        self.sizes = [3, 2]
        self.next(self.plan, foreach="sizes")

    @step
    def plan(self):
        with socket.create_server(("", 0)) as server:
            self.port = server.getsockname()[1]
        self.next(self.train, num_parallel=self.input)

    @parallel
    @step
    def train(self):
        self.rank, self.size = current.parallel.node_index, current.parallel.num_nodes
        if self.rank == 0:
            with socket.create_server(("", self.port)) as server:
                calls = [server.accept()[0] for _ in range(self.size - 1)]
                self.heard = sorted(int(call.recv(10)) for call in calls)
                for call in calls:
                    call.sendall(b"go")
        else:
            with self.call(current.parallel.main_ip) as call:
                call.sendall(str(self.rank).encode())
                self.heard = call.recv(10).decode()
        self.next(self.collect)

    def call(self, address):
        while True:
            try:
                return socket.create_connection((address, self.port), timeout=60)
            except OSError:
                time.sleep(0.1)

    @step
    def collect(self, inputs):
        self.ranks = [(each.rank, each.size, each.heard) for each in inputs]
        self.next(self.done)

    @step
    def done(self, inputs):
        self.ranks = [each.ranks for each in inputs]
        self.next(self.end)

    @step
    def end(self):
        print(self.ranks)


if __name__ == "__main__":
    ParallelFlow()
