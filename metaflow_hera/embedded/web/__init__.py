"""Who may call the server, and how a browser logs in."""
