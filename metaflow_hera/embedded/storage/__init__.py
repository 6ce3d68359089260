"""What the embedded Argo stores: objects, nodes, their times."""
