"""What is read from Metaflow afterwards: runs, logs, its webhook."""
