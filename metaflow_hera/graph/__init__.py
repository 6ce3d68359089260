"""A flow's graph as plain data: its steps, and its scopes (what runs when, inside which foreach).

The translation reads it to write a manifest, and the runtime in a pod reads the same data to find a
task's inputs. It knows neither Metaflow nor Argo.
"""
