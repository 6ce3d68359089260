"""What differs between two versions of a deployment: pure functions of what each of them holds."""
