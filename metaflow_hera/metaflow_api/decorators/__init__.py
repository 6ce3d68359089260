"""The decorators that this package registers with Metaflow."""

import metaflow_hera.metaflow_api.imported  # noqa: F401
