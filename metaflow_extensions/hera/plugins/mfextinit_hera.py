"""What metaflow_hera adds to Metaflow. Nearly everything behind it lives in the package `metaflow_hera`.

Where Metaflow packs a flow itself (its `argo-workflows`, `run --with kubernetes`, `run --environment=pypi`),
the code has this extension and not that package: there it adds only what a flow may import.
"""

from importlib.util import find_spec

STEP_DECORATORS_DESC = [("splits_per_pod", ".splits_decorator.SplitsPerPodDecorator")]
if find_spec("metaflow_hera"):
    STEP_DECORATORS_DESC += [
        ("hera_internal", "metaflow_hera.metaflow_api.decorators.internal.HeraInternalDecorator"),
        ("kubernetes", "metaflow_hera.metaflow_api.decorators.kubernetes.KubernetesDecorator"),
    ]
    FLOW_DECORATORS_DESC = [("schedule", "metaflow_hera.metaflow_api.decorators.schedule.ScheduleDecorator")]
    CLIS_DESC = [("hera", ".hera_cli.cli")]
    DEPLOYER_IMPL_PROVIDERS_DESC = [("hera", ".hera_deployer.HeraDeployer")]
