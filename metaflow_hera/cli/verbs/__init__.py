"""A module for each verb of `mfhera`, called like it; its `command` is what click runs."""
