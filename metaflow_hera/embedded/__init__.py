"""The embedded Argo: Argo's REST API on this machine, pods as processes.

It knows Argo's objects only, nothing of Metaflow and nothing of the translation.
"""
