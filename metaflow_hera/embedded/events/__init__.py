"""Sensors of Argo Events: what an event is to them, and what they start."""
