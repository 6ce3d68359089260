"""Metaflow's configuration: what a pod gets from it, and what this package reads from it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metaflow import metaflow_config
from metaflow.metaflow_config_funcs import config_values, from_conf
from metaflow.plugins.datastores.local_storage import LocalStorage
from metaflow.user_configs.config_options import ConfigInput

from metaflow_hera.contract import environment
from metaflow_hera.metaflow_api.light.configuration import sensor_namespace
from metaflow_hera.metaflow_api.light.users import user
from metaflow_hera.metaflow_api.load.flows import LoadedFlow
from metaflow_hera.metaflow_api.load.tokens import token_home
from metaflow_hera.metaflow_api.pod.cards import local_cards

POD_CONFIG = (
    "DATASTORE_SYSROOT_S3",
    "DATATOOLS_S3ROOT",
    "CARD_S3ROOT",
    "S3_ENDPOINT_URL",
    "S3_SERVER_SIDE_ENCRYPTION",
    "DEFAULT_SECRETS_BACKEND_TYPE",
    "AWS_SECRETS_MANAGER_DEFAULT_REGION",
    "GCP_SECRET_MANAGER_PREFIX",
    "AZURE_KEY_VAULT_PREFIX",
    "AZURE_STORAGE_BLOB_SERVICE_ENDPOINT",
    "DATASTORE_SYSROOT_AZURE",
    "CARD_AZUREROOT",
    "DATASTORE_SYSROOT_GS",
    "CARD_GSROOT",
    "ARGO_EVENTS_EVENT",
    "ARGO_EVENTS_EVENT_SOURCE",
    "ARGO_EVENTS_SERVICE_ACCOUNT",
)
"""The settings that Metaflow's own plugin passes to a pod, as far as they are set."""

CLIENT_PROVIDERS = (
    "METAFLOW_DEFAULT_AWS_CLIENT_PROVIDER",
    "METAFLOW_DEFAULT_AZURE_CLIENT_PROVIDER",
    "METAFLOW_DEFAULT_GCP_CLIENT_PROVIDER",
)
"""What of an extension gives Metaflow its credentials, where it is not Metaflow's own."""


def local_root() -> str:
    """The folder that holds `.metaflow`, the local datastore and metadata, of this working directory."""
    root: str = LocalStorage.get_datastore_root_from_config(lambda *_, **__: None)
    return os.path.dirname(os.path.abspath(root))


@dataclass(frozen=True)
class Links:
    """Where people look at runs: Metaflow's UI and Argo's, without a slash at the end, or None."""

    metaflow: str | None
    argo: str | None


def links() -> Links:
    """The UIs that Metaflow is configured with."""

    def bare(url: str | None) -> str | None:
        return url.rstrip("/") if url else None

    return Links(bare(metaflow_config.UI_URL), bare(metaflow_config.ARGO_WORKFLOWS_UI_URL))


def own_setting(name: str) -> str | None:
    """A setting of this package: METAFLOW_HERA_NAME, in the environment or in Metaflow's configuration."""
    value = from_conf(f"HERA_{name}")
    if value in (None, ""):
        return None
    return value if isinstance(value, str) else json.dumps(value)  # a JSON file may hold more than text


@dataclass(frozen=True)
class EventsConfig:
    """Metaflow's configuration of Argo Events; None for what is not set."""

    bus: str
    source: str | None
    event: str | None
    service_account: str | None
    sensor_namespace: str | None


def events_config() -> EventsConfig:
    """Metaflow's configuration of Argo Events."""
    return EventsConfig(
        bus=str(metaflow_config.ARGO_EVENTS_EVENT_BUS),
        source=metaflow_config.ARGO_EVENTS_EVENT_SOURCE,
        event=metaflow_config.ARGO_EVENTS_EVENT,
        service_account=metaflow_config.ARGO_EVENTS_SERVICE_ACCOUNT,
        sensor_namespace=sensor_namespace(),
    )


def pod_environment(flow: LoadedFlow, token: str, *, same_machine: bool) -> Mapping[str, str]:
    """The environment variables that Metaflow needs in each pod of a flow.

    `token` is the production token. `same_machine` says that pods see this machine's file system, and
    so its local metadata and datastore. The names are those of Metaflow's own plugin
    (metaflow/plugins/argo/argo_workflows.py).
    """
    state = flow.state
    info = {
        **state.environment.get_environment_info(),
        "flow_name": flow.name,
        "production_token": token,
    }
    env: dict[str, Any] = {
        name: value
        for name, value in config_values()
        if name.startswith(("METAFLOW_CONDA_", "METAFLOW_DEBUG_")) or name in CLIENT_PROVIDERS
    }
    env |= {f"METAFLOW_{name}": getattr(metaflow_config, name) for name in POD_CONFIG}
    env |= {
        "METAFLOW_SERVICE_URL": metaflow_config.SERVICE_INTERNAL_URL,
        "METAFLOW_SERVICE_HEADERS": json.dumps(metaflow_config.SERVICE_HEADERS)
        if metaflow_config.SERVICE_HEADERS
        else None,
        environment.WEBHOOK_URL: metaflow_config.ARGO_EVENTS_INTERNAL_WEBHOOK_URL,
        "METAFLOW_USER": "argo-workflows",
        environment.OWNER: user(),
        "METAFLOW_DEFAULT_DATASTORE": flow.datastore,
        "METAFLOW_DEFAULT_METADATA": state.metadata.TYPE,
        "METAFLOW_RUNTIME_ENVIRONMENT": "kubernetes",
        "METAFLOW_PRODUCTION_TOKEN": token,
        "METAFLOW_VERSION": json.dumps(info, sort_keys=True),
    }
    if metaflow_config.ARGO_EVENTS_WEBHOOK_URL:
        env["METAFLOW_ARGO_EVENTS_EVENT_BUS"] = metaflow_config.ARGO_EVENTS_EVENT_BUS
        env[environment.WEBHOOK_AUTH] = metaflow_config.ARGO_EVENTS_WEBHOOK_AUTH
    if flow.configs:
        # Where in the code package each value is: the tasks see those of the deployment.
        keys = {name: ConfigInput.make_key_name(name) for name in flow.configs}
        env[environment.CONFIG_VALUES] = json.dumps(keys)
    env |= state.metadata.get_runtime_environment("argo-workflows")
    if same_machine:
        env[environment.LOCAL_ROOT] = local_root()
        env[environment.TOKEN_HOME] = token_home()  # a task may deploy what this user has deployed
        env[environment.CARDS] = local_cards() if flow.datastore == "local" else None
    elif metaflow_config.DATASTORE_SYSROOT_LOCAL:
        # Set by the user: a folder that the pods share.
        env[environment.LOCAL_ROOT] = metaflow_config.DATASTORE_SYSROOT_LOCAL
    # For example, what a Kubernetes secret sets: a variable of the manifest would override it.
    skipped = metaflow_config.ARGO_WORKFLOWS_ENV_VARS_TO_SKIP.split(",")
    return {
        name: str(value) for name, value in env.items() if value not in (None, "") and name not in skipped
    }
