"""The decorators that this package registers with Metaflow."""
