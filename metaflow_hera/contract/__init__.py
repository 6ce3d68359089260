"""What manifest, pod and embedded Argo agree on: names, exit codes, how values travel."""
