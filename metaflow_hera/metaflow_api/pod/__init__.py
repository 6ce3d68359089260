"""What a pod needs from Metaflow: data, metadata, logs, events, cards."""

import metaflow_hera.metaflow_api.imported  # noqa: F401
