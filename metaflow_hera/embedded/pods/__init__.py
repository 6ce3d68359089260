"""Pods as processes, and who keeps them."""
