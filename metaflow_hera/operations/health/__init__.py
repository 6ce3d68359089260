"""What a deployment needs, checked for real: `mfhera doctor`.

A module for each part: the configuration, the server, the permissions (with Argo Events), the datastore
(`storage`), the metadata service, the pods (`probe`). `examination` asks them in their order.
"""
