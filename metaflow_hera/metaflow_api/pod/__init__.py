"""What a pod needs of Metaflow: data, metadata, logs, events, cards."""
