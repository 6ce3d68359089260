"""A run, a deployment, a template as people see them."""
