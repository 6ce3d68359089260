"""Metaflow flows on Argo Workflows, through Hera."""

__version__ = "0.1.0"
