from metaflow import Config, FlowSpec, Parameter, config_expr, project, step


@project(name=config_expr("cfg_default_value.a.project_name"))
class ConfigSimple(FlowSpec):
    cfg_default_value = Config("cfg_default_value", default_value={"a": {"b": "1", "project_name": "other"}})
    trigger_param = Parameter("trigger_param", default="")

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        self.config_val_2 = self.cfg_default_value.a.b


if __name__ == "__main__":
    ConfigSimple()
