"""What a user can choose of a deployment."""
