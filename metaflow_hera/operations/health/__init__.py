"""What a deployment needs, checked for real: `mfhera doctor`.

A module for each part: the configuration, the server, the permissions, the datastore, the metadata service.
`examination` asks them in their order.
"""
