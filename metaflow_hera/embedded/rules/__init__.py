"""Argo's rules for objects: which fields there are and what each may hold."""
