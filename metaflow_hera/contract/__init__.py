"""What manifest, pod and their readers agree on: names, exit codes, how values travel.

A stored manifest and a pod of an older version know these by their values, so a value never changes.
"""
