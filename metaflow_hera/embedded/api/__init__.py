"""Argo's REST API."""
