"""A module for each verb of `mfhera`, with the verb's name; click runs its `command`."""
