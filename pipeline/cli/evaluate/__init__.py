"""`evaluate`, system by system."""
