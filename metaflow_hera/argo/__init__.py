"""Argo's server as this package uses it: where it is, what is deployed there, what runs there.

A cluster's server and the embedded one are called alike: by plain HTTP, and by Hera's client where something
is made or submitted.
"""
