"""What a pod needs from Metaflow: data, metadata, logs, events, cards."""
