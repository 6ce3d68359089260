"""What of Metaflow is known without importing it: its configuration, the user's name, production tokens."""
