"""What metaflow_hera adds to Metaflow. Everything behind it lives in the package `metaflow_hera`."""

STEP_DECORATORS_DESC = [
    ("hera_internal", "metaflow_hera.metaflow_api.decorators.internal.HeraInternalDecorator"),
    ("kubernetes", "metaflow_hera.metaflow_api.decorators.kubernetes.KubernetesDecorator"),
    ("splits_per_pod", "metaflow_hera.metaflow_api.decorators.splits.SplitsPerPodDecorator"),
]
FLOW_DECORATORS_DESC = [("schedule", "metaflow_hera.metaflow_api.decorators.schedule.ScheduleDecorator")]
CLIS_DESC = [("hera", ".hera_cli.cli")]
DEPLOYER_IMPL_PROVIDERS_DESC = [("hera", ".hera_deployer.HeraDeployer")]
