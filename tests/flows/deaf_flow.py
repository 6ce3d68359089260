import signal
import time

from metaflow import FlowSpec, step, timeout


class DeafFlow(FlowSpec):
    @timeout(seconds=1)
    @step
    def start(self):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGTERM})
        time.sleep(600)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    DeafFlow()
