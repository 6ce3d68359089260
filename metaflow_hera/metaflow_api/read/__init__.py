"""What is read from Metaflow afterwards: runs and logs."""

import metaflow_hera.metaflow_api.imported  # noqa: F401
