"""Sensors of Argo Events: which events they wait for, and what they start."""
