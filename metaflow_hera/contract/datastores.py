"""The datastores whose data pods can reach, by Metaflow's names for them."""

SHARED = ("s3", "azure", "gs")
"""Those that any cluster's pods reach: S3, Azure Blob Storage, Google Cloud Storage."""
DATASTORES = ("local", *SHARED)
"""All of them: of the local one, pods of this machine alone see the files."""
