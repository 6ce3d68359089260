"""A flow, loaded and read as Metaflow's own command line would."""
