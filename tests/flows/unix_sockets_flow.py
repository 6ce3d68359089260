"""Unix sockets below the temporary folder, as multiprocessing makes them for a Manager and the forkserver."""

import multiprocessing
import os
import socket
import tempfile

from metaflow import FlowSpec, step


def square(x):
    return x * x


class UnixSocketsFlow(FlowSpec):
    @step
    def start(self):
        with multiprocessing.Manager() as manager:
            shared = manager.dict(a=1)
            self.shared = dict(shared)
        with multiprocessing.get_context("forkserver").Pool(2) as pool:
            self.squares = pool.map(square, [1, 2, 3])
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.join(folder, "service.socket"))
        self.next(self.end)

    @step
    def end(self):
        print(self.shared, self.squares)


if __name__ == "__main__":
    UnixSocketsFlow()
