from metaflow import FlowSpec, kubernetes, step


class MemoryFlow(FlowSpec):
    @kubernetes(memory=400, qos="Guaranteed")
    @step
    def start(self):
        print("the last words", flush=True)
        held = bytearray(2_000_000_000)
        held[::4096] = b"x" * len(held[::4096])
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    MemoryFlow()
