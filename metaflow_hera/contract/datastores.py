"""The datastores whose data pods can reach, by Metaflow's names for them."""

LIBRARIES = {
    "s3": ("boto3",),
    "azure": ("azure-identity", "azure-storage-blob"),
    "gs": ("google-cloud-storage", "google-auth"),
}
"""The packages by which Metaflow reaches each; their modules have dots for the dashes."""
SHARED = tuple(LIBRARIES)
"""Those that any cluster's pods reach: S3, Azure Blob Storage, Google Cloud Storage."""
DATASTORES = ("local", *SHARED)
"""All of them: of the local one, pods of this machine alone see the files."""
