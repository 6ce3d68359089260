"""Pods as processes, and the keeper, their parent process."""
