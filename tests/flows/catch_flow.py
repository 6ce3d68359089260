from metaflow import FlowSpec, catch, current, retry, step


class CatchFlow(FlowSpec):
    @catch(var="problem")
    @step
    def start(self):
        if current.retry_count == 0:
            raise ValueError("caught at once")
        self.next(self.again)

    @catch(var="later", print_exception=False)
    @retry(times=1, minutes_between_retries=0)
    @step
    def again(self):
        print("attempt", current.retry_count)
        if current.retry_count < 5:
            raise KeyError("caught after a retry")
        self.next(self.end)

    @step
    def end(self):
        self.said = [str(self.problem), str(self.later)]


if __name__ == "__main__":
    CatchFlow()
