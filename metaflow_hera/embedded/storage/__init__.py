"""What the embedded Argo keeps: objects, nodes, their times."""
