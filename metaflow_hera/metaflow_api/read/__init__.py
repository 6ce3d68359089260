"""What is read of Metaflow afterwards: runs, logs, its webhook."""
